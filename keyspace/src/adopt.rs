//! Slots coming from and going to another keyspace, between two entries.

use crate::keyspace::Keyspace;
use crate::locks::{Held, Unit};
use crate::slot::SLOTS;
use crate::slot_data::SlotData;

impl Keyspace {
    /// Takes over what `from` holds in these slots, in place of what is here, and leaves nothing
    /// there. The keys keep their encodings, and are hashed anew. `from` has as many databases, and
    /// nobody else uses it.
    pub fn adopt(&self, slots: &[u16], from: &Keyspace) {
        assert_eq!(self.databases(), from.databases(), "they are of one cluster");
        let (mut writer, mut from_writer) = (self.writer(), from.writer());
        let mut tables = Vec::new();
        for db in 0..self.databases() {
            let (stored, from_stored) = (self.stored_at(db), from.stored_at(db));
            let Some(from_slots) = from.stored(from_stored).slots() else {
                continue;
            };
            for slot in slots.iter().copied().filter(|slot| *slot < SLOTS) {
                let data = from_slots[usize::from(slot)].data.lock();
                if data.table().len() == 0 {
                    continue;
                }
                let mut held = Held { unit: Unit::new(from_stored, slot), data };
                let mut taken = from.change(&mut from_writer, &mut held, SlotData::take);
                drop(held);
                taken.rehash(self.hash_seed());
                let place = &self.stored(stored).slots_or_make()[usize::from(slot)];
                let mut held = Held { unit: Unit::new(stored, slot), data: place.data.lock() };
                tables.push(self.change(&mut writer, &mut held, SlotData::clear));
                self.replace(&mut writer, &mut held, taken);
            }
        }
        self.advance(from.last_now_ms());
        self.discards().slots(tables);
    }

    /// Drops what is in these slots. Large values are freed elsewhere.
    pub fn drop_slots(&self, slots: &[u16]) {
        let mut writer = self.writer();
        let mut tables = Vec::new();
        for db in 0..self.databases() {
            let stored = self.stored_at(db);
            let Some(places) = self.stored(stored).slots() else { continue };
            for slot in slots.iter().copied().filter(|slot| *slot < SLOTS) {
                let data = places[usize::from(slot)].data.lock();
                if data.table().len() > 0 {
                    let mut held = Held { unit: Unit::new(stored, slot), data };
                    tables.push(self.change(&mut writer, &mut held, SlotData::clear));
                }
            }
        }
        drop(writer);
        self.discards().slots(tables);
    }
}
