//! A group's own state about slots: which it owns, which it is giving away, which it is getting.
//!
//! Every change is a [`Step`], an entry of the group's own log; [`GroupSlots::apply`] is a pure
//! function of the state and the step, so all replicas agree. A move has two sides:
//!
//! | source | target |
//! |---|---|
//! | `Export`: the slots are pinned, changes to them are captured | `Open`: room is made aside |
//! | | `Import`: the pinned state in chunks, then the changes |
//! | `Freeze`: the slots are served no more | `Import`: the last changes |
//! | | `Activate`: the slots are owned |
//! | `Release`: the data are dropped | |
//!
//! Invariants:
//! - The target's log decides: whichever of `Activate` and `Abort` comes first there is final. The
//!   source releases only what was activated, and serves again (`Cancel`) only what was aborted;
//!   that order is its leader's duty, everything else is checked here.
//! - A step that came twice changes nothing the second time.
//! - A step that cannot be is [`Refused`], which changes nothing and is an answer, not trouble.
//! - An attempt that ended stays ended: what is known of a move's last attempt is kept until the
//!   whole migration is forgotten, and then the migration's steps are refused for good.
//!
//! Leaves out: the data, messages between groups, who decides what moves.

mod group_slots;
mod move_id;
mod slot_set;
mod slot_states;
mod step;
mod wire;

pub use group_slots::{
    Effect, End, Ended, GroupSlots, INCOMING_MAX, Incoming, OUTGOING_MAX, Outgoing, Phase, Refused,
    Standing,
};
pub use move_id::MoveId;
pub use slot_set::SlotSet;
pub use slot_states::{SlotState, SlotStates};
pub use step::{STEP_BYTE, Step};
pub use wire::Malformed;
