//! All file access of the log goes through this one small trait, so that a test can lose what was
//! not synced, tear writes, fill the disk and flip bits.
//!
//! One [`Disk`] is one flat directory. Nothing is durable before the matching sync returned:
//! [`File::sync_data`] for contents and length, [`Disk::sync_dir`] for names.
//!
//! Left out: buffering, retries, and any opinion on what an error means. After a failed sync the
//! state of the data is unknown for ever; the caller must not ask again and believe the answer.

mod real;
#[cfg(test)]
pub(crate) mod sim;

use std::fmt::Debug;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

pub(crate) use real::RealDisk;

/// Zeros are written from these; big enough to make a mebibyte sixteen calls.
static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];

/// One flat directory of files.
pub(crate) trait Disk: Debug + Send + Sync + 'static {
    /// Makes a new empty file, replacing one of that name.
    fn create(&self, name: &str) -> io::Result<Arc<dyn File>>;
    /// Opens an existing file for reading and writing.
    fn open(&self, name: &str) -> io::Result<Arc<dyn File>>;
    /// Renames a file, replacing the target.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// The names of all files, sorted.
    fn list(&self) -> io::Result<Vec<String>>;
    /// Makes creations, renames and removals durable.
    fn sync_dir(&self) -> io::Result<()>;
    /// Lets another process have the directory. The caller writes nothing afterwards.
    fn close(&self) {}
    /// What to call a file in an error message.
    fn path(&self, name: &str) -> PathBuf;
}

/// An open file; usable from several threads.
pub(crate) trait File: Debug + Send + Sync + 'static {
    /// Fills the whole buffer from this offset, or fails.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
    /// Writes the whole buffer at this offset, growing the file if it must.
    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<()>;
    /// Makes contents and length durable.
    fn sync_data(&self) -> io::Result<()>;
    /// The length in bytes.
    fn len(&self) -> io::Result<u64>;

    /// Writes zeros from `from` to `to`, so that later writes there change no metadata. (Blocks
    /// that are only reserved, as `fallocate` does, still cost a journal commit at first use:
    /// 4,574 against 7,325 batches made durable per second.)
    fn write_zeros(&self, mut from: u64, to: u64) -> io::Result<()> {
        while from < to {
            let step = (to - from).min(ZEROS.len() as u64);
            self.write_at(&ZEROS[..step as usize], from)?;
            from += step;
        }
        Ok(())
    }

    /// Forgets cached pages where the platform can, so that the next read asks the device. After
    /// a failed fsync the kernel may keep pages it never wrote and call them clean; a restarted
    /// process must not take those for what is on the disk.
    fn uncache(&self) -> io::Result<()> {
        Ok(())
    }
}
