//! Every limit and every text, each seen from redis-server 7.0.15.

use resp::{BULK_BYTES_MAX, INLINE_BYTES_MAX, Limits, Parser};

use crate::allocations::allocated_bytes;
use crate::pieces::{Outcome, parse, parse_pieces};

/// The error a client is sent for these bytes; `None` if Redis waits for more.
fn error_of(bytes: &[u8], limits: &Limits) -> Option<String> {
    parse(bytes, limits).error.map(|error| error.to_string())
}

#[track_caller]
fn assert_refused(bytes: &[u8], text: &str) {
    let error = error_of(bytes, &Limits::default());
    assert_eq!(error, Some(format!("ERR Protocol error: {text}")), "{}", bytes.escape_ascii());
}

#[track_caller]
fn assert_waits(bytes: &[u8]) {
    let outcome = parse(bytes, &Limits::default());
    let waiting = Outcome { left_bytes: bytes.len(), ..Outcome::default() };
    assert_eq!(outcome, waiting, "{}", bytes.escape_ascii());
}

#[track_caller]
fn assert_requests(bytes: &[u8], requests: &[&[&[u8]]]) {
    let outcome = parse(bytes, &Limits::default());
    assert_eq!(outcome.requests, requests, "{}", bytes.escape_ascii());
    assert_eq!((outcome.error, outcome.left_bytes), (None, 0), "{}", bytes.escape_ascii());
}

#[test]
fn a_count_must_be_a_plain_number_that_fits_an_int() {
    for line in ["*\r\n", "*-0\r\n", "*01\r\n", "*+1\r\n", "* 1\r\n", "*1x\r\n", "*2147483648\r\n"]
    {
        assert_refused(line.as_bytes(), "invalid multibulk length");
    }
    // The line ends at a CR, so that a lone LF stays in it.
    assert_refused(b"*3\nfoo\r\n", "invalid multibulk length");
    assert_waits(b"*2147483647\r\n");
    assert_waits(b"*1048577\r\n");
}

#[test]
fn an_argument_must_begin_with_a_dollar_sign() {
    assert_refused(b"*1\r\nfoo\r\n", "expected '$', got 'f'");
    assert_waits(b"*1\r\nfoo");
    assert_waits(b"*1\r\nfoo\r");
}

#[test]
fn control_bytes_of_the_client_are_not_echoed() {
    assert_refused(b"*1\r\n\r\n", "expected '$', got ' '");
    assert_refused(b"*1\r\n\n\r\n", "expected '$', got ' '");
    // Here Redis echoes the byte itself.
    assert_refused(b"*1\r\n\x01\r\n", "expected '$', got '\\x01'");
    assert_refused(b"*1\r\n\xff\r\n", "expected '$', got '\\xff'");
}

#[test]
fn a_bulk_length_must_be_a_plain_number_within_the_limit() {
    for line in ["$\r\n", "$-1\r\n", "$01\r\n", "$+1\r\n", "$1x\r\n", "$536870913\r\n"] {
        assert_refused(format!("*1\r\n{line}").as_bytes(), "invalid bulk length");
    }
    assert_waits(b"*1\r\n$536870912\r\n");

    let small = Limits::authenticated(1024 * 1024);
    let text = "ERR Protocol error: invalid bulk length".to_owned();
    assert_eq!(error_of(b"*1\r\n$1048577\r\n", &small), Some(text));
    assert_eq!(error_of(b"*1\r\n$1048576\r\n", &small), None);
}

#[test]
fn before_auth_ten_arguments_of_16_kib_are_the_limit() {
    let before_auth = |bytes: &[u8]| error_of(bytes, &Limits::unauthenticated());
    let text = |text: &str| Some(format!("ERR Protocol error: {text}"));

    assert_eq!(before_auth(b"*10\r\n"), None);
    assert_eq!(before_auth(b"*11\r\n"), text("unauthenticated multibulk length"));
    assert_eq!(before_auth(b"*2147483648\r\n"), text("invalid multibulk length"));
    assert_eq!(before_auth(b"*1\r\n$16384\r\n"), None);
    assert_eq!(before_auth(b"*1\r\n$16385\r\n"), text("unauthenticated bulk length"));
    assert_eq!(before_auth(b"*1\r\n$536870913\r\n"), text("invalid bulk length"));

    let inline = format!("PING {}\r\n", "a ".repeat(20));
    let outcome = parse(inline.as_bytes(), &Limits::unauthenticated());
    assert_eq!(outcome.requests[0].len(), 21, "inline commands are not counted");
}

/// A complete request takes a shorter way through the parser, and must meet the same limits.
#[test]
fn limits_hold_for_requests_that_arrive_whole() {
    let whole = |bytes: usize| format!("*1\r\n${bytes}\r\n{}\r\n", "x".repeat(bytes));
    let refused = |limits: &Limits, bytes: usize| error_of(whole(bytes).as_bytes(), limits);
    let unauthenticated = Limits::unauthenticated();
    assert_eq!(refused(&unauthenticated, 16_384), None);
    let text = "ERR Protocol error: unauthenticated bulk length".to_owned();
    assert_eq!(refused(&unauthenticated, 16_385), Some(text));

    let tiny = Limits { args_max: 3, ..Limits::authenticated(100) };
    assert_eq!(refused(&tiny, 100), None);
    assert_eq!(refused(&tiny, 101), Some("ERR Protocol error: invalid bulk length".to_owned()));
    let args = |count: usize| format!("*{count}\r\n{}", "$1\r\nx\r\n".repeat(count));
    assert_eq!(error_of(args(3).as_bytes(), &tiny), None);
    let text = "ERR Protocol error: invalid multibulk length".to_owned();
    assert_eq!(error_of(args(4).as_bytes(), &tiny), Some(text));
}

#[test]
fn a_pipelined_auth_lifts_the_limits_for_the_next_request() {
    let bytes = b"*2\r\n$4\r\nAUTH\r\n$1\r\nx\r\n*11\r\n";
    let mut parser = Parser::new();
    assert!(parser.next(bytes, &Limits::unauthenticated()).unwrap().is_some());
    assert_eq!(parser.next(bytes, &Limits::default()), Ok(None));
}

#[test]
fn a_line_has_64_kib_to_end() {
    let line = |start: &str, bytes: usize| {
        let mut line = start.to_owned();
        line.extend(std::iter::repeat_n('1', bytes - start.len()));
        line
    };
    let max = INLINE_BYTES_MAX;
    assert_refused(line("*", max + 1).as_bytes(), "too big mbulk count string");
    assert_waits(line("*", max).as_bytes());
    let bulk = format!("*1\r\n{}", line("$", max + 1));
    assert_refused(bulk.as_bytes(), "too big bulk count string");
    assert_waits(&bulk.as_bytes()[..bulk.len() - 1]);
    assert_refused(line("P", max + 1).as_bytes(), "too big inline request");
    assert_waits(line("P", max).as_bytes());

    // The end itself may be the byte after.
    let longest = line("P", max) + "\n";
    assert_requests(longest.as_bytes(), &[&[&longest.as_bytes()[..max]]]);
}

/// Redis looks for the end in all it has read, so that there it depends on the network whether a
/// line just past the limit passes. Here it never does.
#[test]
fn a_line_past_64_kib_is_refused_also_when_its_end_arrives_with_it() {
    let inline = "P".repeat(INLINE_BYTES_MAX + 1) + "\n";
    assert_refused(inline.as_bytes(), "too big inline request");
    let count = format!("*{}\r\n", "1".repeat(INLINE_BYTES_MAX));
    assert_refused(count.as_bytes(), "too big mbulk count string");
}

#[test]
fn empty_requests_are_skipped() {
    let ping: &[&[&[u8]]] = &[&[b"PING"]];
    for empty in ["*0\r\n", "*-1\r\n", "*-5\r\n", "\r\n", "\n", " \t \r\n", "\r\n*0\r\n\n"] {
        assert_requests(format!("{empty}PING\r\n").as_bytes(), ping);
        assert_requests(format!("{empty}*1\r\n$4\r\nPING\r\n").as_bytes(), ping);
        assert_requests(empty.as_bytes(), &[]);
    }
}

#[test]
fn the_bytes_at_the_end_of_a_line_and_of_a_string_are_skipped_unread() {
    assert_requests(b"*1\rx$4\rxPINGxxPING\r\n", &[&[b"PING"], &[b"PING"]]);
}

#[test]
fn a_line_with_a_nul_never_ends() {
    assert_waits(b"PI\0NG\r\nPING\r\n");
    assert_waits(b"*1\0\r\n$4\r\nPING\r\n");
    assert_waits(b"*1\r\n\0\r\n");
    assert_requests(b"*1\r\n$5\r\nPI\0NG\r\n", &[&[b"PI\0NG"]]);
}

#[test]
fn inline_commands_are_split_as_by_redis() {
    for (line, args) in [
        (&b"PING\n"[..], &[&b"PING"[..]][..]),
        (b"PING\r\r\n", &[b"PING"]),
        (b"  SET  k\tv \r\n", &[b"SET", b"k", b"v"]),
        (br#"ECHO "a\x41\n\r\t\b\a\q""#, &[b"ECHO", b"aA\n\r\t\x08\x07q"]),
        (br#"ECHO "\xg1\x4""#, &[b"ECHO", b"xg1x4"]),
        (br#"ECHO "say \"hi\"""#, &[b"ECHO", br#"say "hi""#]),
        (br"ECHO 'a\'b\n'", &[b"ECHO", br"a'b\n"]),
        (br#"ECHO a"b c""#, &[b"ECHO", b"ab c"]),
        (br#"ECHO """#, &[b"ECHO", b""]),
        (br"ECHO a\n", &[b"ECHO", br"a\n"]),
        (b"ECHO a\x0bb", &[b"ECHO", b"a\x0bb"]),
        (b"\x0bECHO\x0b a", &[b"ECHO\x0b", b"a"]),
        (b"ECHO a\rb", &[b"ECHO", b"a", b"b"]),
        (b"ECHO \"\xff\x80\"", &[b"ECHO", b"\xff\x80"]),
    ] {
        let line = [line, if line.ends_with(b"\n") { b"" } else { b"\r\n" }].concat();
        assert_requests(&line, &[args]);
    }
}

#[test]
fn unbalanced_quotes_are_refused() {
    for line in [r#"ECHO "a"#, r#"ECHO "a"b"#, r#"ECHO "a\""#, "ECHO 'a", "ECHO 'a'b", r#"a" "b"#] {
        assert_refused(format!("{line}\r\n").as_bytes(), "unbalanced quotes in request");
    }
}

#[test]
fn requests_before_an_error_are_still_answered() {
    let outcome = parse(b"PING\r\n*1\r\n$4\r\nPING\r\n*x\r\n", &Limits::default());
    assert_eq!(outcome.requests.len(), 2);
    assert_eq!(outcome.error.unwrap().0, "invalid multibulk length");
}

#[test]
fn nested_arrays_of_48_kb_are_refused_and_overflow_no_stack() {
    assert_refused("*1\r\n".repeat(12_000).as_bytes(), "expected '$', got '*'");
}

#[test]
fn declared_counts_and_lengths_take_no_memory() {
    for bytes in [&b"*2147483647\r\n"[..], b"*2147483647\r\n$536870912\r\nabc"] {
        let mut parser = Parser::new();
        let limits = Limits::default();
        let (allocated, result) =
            allocated_bytes(|| parser.next(bytes, &limits).map(|args| args.is_none()));
        assert_eq!((allocated, result), (0, Ok(true)));
    }
}

#[test]
fn small_pipelined_requests_allocate_nothing() {
    let mut parser = Parser::new();
    let limits = Limits::default();
    let pipeline =
        b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\nGET k\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n";
    let mut requests = || {
        let mut count = 0;
        while parser.next(pipeline, &limits).unwrap().is_some() {
            count += 1;
        }
        assert_eq!(parser.consume(), pipeline.len());
        count
    };
    assert_eq!(requests(), 3);
    assert_eq!(allocated_bytes(requests), (0, 3));
}

#[test]
fn a_huge_request_leaves_no_memory_behind() {
    let mut bytes = b"*100000\r\n".to_vec();
    bytes.extend(b"$1\r\nx\r\n".repeat(100_000));
    let mut parser = Parser::new();
    let limits = Limits::default();
    assert_eq!(parser.next(&bytes, &limits).unwrap().unwrap().len(), 100_000);
    assert_eq!(parser.consume(), bytes.len());
    // A new list is taken, and so the one with room for 100,000 places was given back.
    let (allocated, ()) = allocated_bytes(|| {
        assert_eq!(parser.next(b"*2\r\n$1\r\na\r\n", &limits), Ok(None));
    });
    assert!((1..1024).contains(&allocated), "{allocated}");
}

/// The first tries at these two lines leave their marks; the next request must not see them.
#[test]
fn a_request_completed_at_once_after_a_partial_line_leaves_a_clean_parser() {
    let limits = Limits::default();
    let mut parser = Parser::new();
    assert_eq!(parser.next(b"*1", &limits), Ok(None));
    assert!(parser.next(b"*1\r\n$4\r\nPING\r\n", &limits).unwrap().is_some());
    assert_eq!(parser.wanted(1000), 0);
    parser.consume();
    assert!(parser.next(b"\nPING\n", &limits).unwrap().is_some());
}

#[test]
fn wanted_tells_how_much_more_to_make_room_for() {
    let limits = Limits::default();
    let mut parser = Parser::new();
    assert_eq!(parser.wanted(1000), 0);
    assert_eq!(parser.next(b"*2\r\n", &limits), Ok(None));
    assert_eq!(parser.wanted(1000), 12, "two empty arguments");
    assert_eq!(parser.next(b"*2\r\n$100\r\nabc", &limits), Ok(None));
    assert_eq!(parser.wanted(1000), 97 + 2 + 6);
    assert_eq!(parser.wanted(10), 10);

    let mut parser = Parser::new();
    let huge = format!("*1\r\n${BULK_BYTES_MAX}\r\n");
    assert_eq!(parser.next(huge.as_bytes(), &limits), Ok(None));
    assert_eq!(parser.wanted(64 * 1024), 64 * 1024);
    assert_eq!(parser.wanted(usize::MAX), BULK_BYTES_MAX + 2);
}

/// Bytes once read are overwritten before the next piece arrives: a parser that went back to them
/// would stumble, and one that goes back is quadratic.
#[test]
fn an_argument_of_1_mb_in_pieces_of_1_kb_is_read_once() {
    const VALUE_BYTES: usize = 1024 * 1024;
    let mut all = format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n${VALUE_BYTES}\r\n").into_bytes();
    all.resize(all.len() + VALUE_BYTES, b'v');
    all.extend_from_slice(b"\r\n");

    let limits = Limits::default();
    let mut parser = Parser::new();
    let mut buffer = Vec::new();
    for piece in all.chunks(1024) {
        buffer.extend_from_slice(piece);
        if buffer.len() == all.len() {
            break;
        }
        assert_eq!(parser.next(&buffer, &limits), Ok(None));
        buffer.fill(b'!');
    }
    let args = parser.next(&buffer, &limits).unwrap().unwrap();
    assert_eq!(args.iter().map(|arg| arg.len()).collect::<Vec<_>>(), [3, 1, VALUE_BYTES]);
}

/// As above, for many arguments; only the line under way is kept.
#[test]
fn a_hundred_thousand_arguments_in_pieces_of_1_kb_are_read_once() {
    const ARGS: usize = 100_000;
    let mut all = format!("*{ARGS}\r\n").into_bytes();
    all.extend(b"$4\r\nabcd\r\n".repeat(ARGS));

    let limits = Limits::default();
    let mut parser = Parser::new();
    let mut buffer = Vec::new();
    for piece in all.chunks(1024) {
        buffer.extend_from_slice(piece);
        if buffer.len() == all.len() {
            break;
        }
        assert_eq!(parser.next(&buffer, &limits), Ok(None));
        let read = buffer.len().saturating_sub(b"$4\r".len());
        buffer[..read].fill(b'!');
    }
    assert_eq!(parser.next(&buffer, &limits).unwrap().unwrap().len(), ARGS);
}

/// A line that arrives byte by byte is searched once: what was searched may change.
#[test]
fn a_line_in_single_bytes_is_searched_once() {
    let limits = Limits::default();
    let mut parser = Parser::new();
    let mut buffer = Vec::new();
    for index in 0..INLINE_BYTES_MAX {
        buffer.push(b'x');
        assert_eq!(parser.next(&buffer, &limits), Ok(None));
        // An end that is found only by going back; the first byte stays, as the request's kind.
        if index > 0 {
            buffer[index] = b'\n';
        }
    }
    buffer.push(b'\n');
    assert!(parser.next(&buffer, &limits).unwrap().is_some());
}

#[test]
fn cr_and_lf_may_arrive_apart() {
    let bytes = b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\nPING\r\n";
    let outcome = parse_pieces(bytes.chunks(1), &Limits::default());
    assert_eq!(outcome, parse(bytes, &Limits::default()));
    assert_eq!(outcome.requests.len(), 2);
}
