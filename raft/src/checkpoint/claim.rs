//! Whose store this is.

use super::manifest::{IDENTITY_KEY, seal, unseal};
use super::{Batch, CheckpointStore};
use crate::{NodeId, Trouble};

/// Claims an unused store for a node, or checks that it is that node's.
///
/// A replica with another's log could vote twice in a term, and one without its own could forget
/// a vote: so a store without a claim beside a log that is in use is refused too.
pub(crate) fn claim(
    store: &dyn CheckpointStore,
    cluster: &str,
    node: NodeId,
    log_is_empty: bool,
) -> Result<(), Trouble> {
    let ours = format!("{node} {cluster}");
    let Some(value) = store.get(IDENTITY_KEY)? else {
        if !log_is_empty {
            let what = "the log is in use, but the checkpoint store beside it is new";
            return Err(Trouble::Corrupt(what.to_string()));
        }
        let mut batch = Batch::default();
        batch.put(IDENTITY_KEY.to_vec(), seal(IDENTITY_KEY, ours.as_bytes()));
        store.write(batch)?;
        return store.flush();
    };
    let corrupt = || Trouble::Corrupt("the record whose data this is is damaged".to_string());
    let found = unseal(IDENTITY_KEY, value).ok_or_else(corrupt)?;
    let found = String::from_utf8(found).map_err(|_| corrupt())?;
    if found == ours {
        return Ok(());
    }
    let (found_node, found_cluster) = found.split_once(' ').ok_or_else(corrupt)?;
    Err(Trouble::Refused(format!(
        "the data directory belongs to node {found_node} of cluster {found_cluster:?}, \
         this is node {node} of cluster {cluster:?}"
    )))
}

#[cfg(test)]
mod tests {
    use super::super::MemoryStore;
    use super::*;

    #[test]
    fn a_store_is_claimed_once() {
        let store = MemoryStore::default();
        claim(&store, "c1", 1, true).unwrap();
        let store = store.crash(0);
        claim(&store, "c1", 1, false).unwrap();
        let refused = |cluster, node| claim(&store, cluster, node, false).unwrap_err().to_string();
        assert_eq!(
            refused("c2", 1),
            "the data directory belongs to node 1 of cluster \"c1\", \
             this is node 1 of cluster \"c2\""
        );
        assert!(refused("c1", 2).ends_with("this is node 2 of cluster \"c1\""));
        store.flip(b"i", 40);
        assert!(matches!(claim(&store, "c1", 1, false), Err(Trouble::Corrupt(_))));
        assert!(matches!(claim(&MemoryStore::default(), "c1", 1, false), Err(Trouble::Corrupt(_))));
    }
}
