use super::*;

fn id(attempt: u32) -> MoveId {
    MoveId { migration: 1, number: 0, attempt }
}

fn slots(of: impl IntoIterator<Item = u16>) -> SlotSet {
    of.into_iter().collect()
}

fn claimed(of: impl IntoIterator<Item = u16>) -> GroupSlots {
    let mut group = GroupSlots::default();
    group.apply(&Step::Claim { slots: slots(of) }).unwrap();
    group
}

/// Applies a step twice: the second time nothing happens. Checks that the state survives storage.
fn apply(group: &mut GroupSlots, step: Step) -> Effect {
    let effect = group.apply(&step).unwrap();
    let after = group.clone();
    assert_eq!(group.apply(&step), Ok(Effect::Nothing), "{step:?}");
    assert_eq!(*group, after);
    assert_eq!(GroupSlots::decode(&group.encode()).unwrap(), after);
    effect
}

/// A step that is refused changes nothing.
fn refused(group: &mut GroupSlots, step: Step) -> Refused {
    let before = group.clone();
    let refused = group.apply(&step).unwrap_err();
    assert_eq!(*group, before);
    refused
}

#[test]
fn a_source_from_export_to_release() {
    let mut group = claimed(0..10);
    let moving = slots(3..5);
    let export = Step::Export { id: id(1), slots: moving.clone(), to: 2 };
    assert_eq!(apply(&mut group, export), Effect::Exporting(id(1), moving.clone()));
    refused(&mut group, Step::Release { id: id(1) });
    assert_eq!(
        apply(&mut group, Step::Freeze { id: id(1) }),
        Effect::Frozen(id(1), moving.clone())
    );
    assert!(group.owned().contains(3));
    let released = apply(&mut group, Step::Release { id: id(1) });
    assert_eq!(released, Effect::Released(id(1), moving));
    assert_eq!(*group.owned(), slots([0, 1, 2, 5, 6, 7, 8, 9]));
    refused(&mut group, Step::Cancel { id: id(1) });
    refused(&mut group, Step::Export { id: id(2), slots: slots([0]), to: 2 });
    assert!(group.is_moving());
    apply(&mut group, Step::Forget { upto: 1 });
    assert!(!group.is_moving());
    refused(&mut group, Step::Export { id: id(3), slots: slots([0]), to: 2 });
}

#[test]
fn a_target_from_open_to_activate() {
    let mut group = claimed([]);
    let moving = slots(3..5);
    apply(&mut group, Step::Open { id: id(1), slots: moving.clone(), from: 0 });
    let chunk = |chunk| Step::Import { id: id(1), chunk, body: vec![] };
    assert!(matches!(refused(&mut group, chunk(1)), Refused::Chunk { next_chunk: 0, .. }));
    assert_eq!(apply(&mut group, chunk(0)), Effect::Imported(id(1)));
    refused(&mut group, Step::Activate { id: id(1), chunks: 2 });
    let activated = apply(&mut group, Step::Activate { id: id(1), chunks: 1 });
    assert_eq!(activated, Effect::Activated(id(1), moving.clone()));
    assert_eq!(*group.owned(), moving);
    refused(&mut group, Step::Abort { id: id(1) });
    refused(&mut group, Step::Abort { id: id(2) });
    refused(&mut group, Step::Open { id: id(2), slots: slots([9]), from: 0 });
}

#[test]
fn what_was_aborted_stays_so_even_if_it_never_began() {
    let mut group = claimed([]);
    apply(&mut group, Step::Abort { id: id(1) });
    refused(&mut group, Step::Open { id: id(1), slots: slots([1]), from: 0 });
    apply(&mut group, Step::Open { id: id(2), slots: slots([1]), from: 0 });
    refused(&mut group, Step::Open { id: id(3), slots: slots([1]), from: 0 });
    refused(&mut group, Step::Activate { id: id(1), chunks: 0 });
    assert_eq!(apply(&mut group, Step::Abort { id: id(2) }), Effect::Aborted(id(2)));
    assert_eq!(group.standing(id(2)), Standing::Ended(End::Aborted));
    assert_eq!(group.standing(id(1)), Standing::Superseded);
    assert_eq!(group.standing(id(3)), Standing::Unknown);
}

#[test]
fn slots_move_once_at_a_time_and_only_from_their_owner() {
    let mut group = claimed(0..10);
    let export = |number, of| {
        let id = MoveId { migration: 1, number, attempt: 1 };
        Step::Export { id, slots: slots(of), to: 2 }
    };
    assert!(matches!(refused(&mut group, export(0, 0..0)), Refused::Slots(_)));
    assert!(matches!(refused(&mut group, export(0, 9..11)), Refused::Slots(_)));
    apply(&mut group, export(0, 0..3));
    assert!(matches!(refused(&mut group, export(1, 2..4)), Refused::Slots(_)));
    apply(&mut group, export(1, 3..4));
    let open = Step::Open {
        id: MoveId { migration: 1, number: 2, attempt: 0 },
        slots: slots([4]),
        from: 1,
    };
    assert!(matches!(refused(&mut group, open), Refused::Slots(_)));
    // A migration under way is not forgotten.
    apply(&mut group, Step::Forget { upto: 9 });
    assert_eq!(group.standing(id(1)), Standing::Exporting);
}

#[test]
fn nothing_moves_before_the_claim_and_only_the_first_counts() {
    let mut group = GroupSlots::default();
    let open = Step::Open { id: id(1), slots: slots([1]), from: 0 };
    assert_eq!(refused(&mut group, open), Refused::Unclaimed);
    apply(&mut group, Step::Claim { slots: slots([7]) });
    apply(&mut group, Step::Claim { slots: slots([8]) });
    assert_eq!(*group.owned(), slots([7]));
}

#[test]
fn a_state_that_cannot_be_is_not_read() {
    let mut group = claimed([1]);
    group.outgoing.insert(id(1), Outgoing { slots: slots([2]), to: 0, phase: Phase::Frozen });
    assert!(GroupSlots::decode(&group.encode()).is_err());
    let bytes = claimed([1]).encode();
    assert!(GroupSlots::decode(&bytes[..bytes.len() - 1]).is_err());
    assert!(GroupSlots::decode(&[]).is_err());
}
