//! Random commands to both servers, many thousands of them, from one printed seed.
//!
//! A difference is shrunk to few commands and saved as a story. `COMPAT_SEED` replays,
//! `COMPAT_COMMANDS` says how many.

use std::path::Path;

use compat_tests::client::Client;
use compat_tests::random::{Random, number_from, seed};
use compat_tests::redis::Redis;
use compat_tests::resp;
use compat_tests::table::{self, Row};
use compat_tests::words;

use super::generator::{self, Generator, Step};
use super::{Servers, Words, agreement};

/// Enough that a run takes less than a minute; a night can ask for more.
const COMMANDS: u64 = 100_000;
/// A few blocks show whether what is compared is determined.
const COMMANDS_OF_REDIS: usize = 20_000;
/// Both servers are emptied after so many: what shrinking begins with.
const BLOCK_COMMANDS: usize = 1_000;
/// After so many different commands that differ a run has told enough.
const DIFFERENCES_MAX: usize = 10;

/// Whose commands are compared.
const GROUPS: [&str; 11] = [
    "string",
    "bitmap",
    "hyperloglog",
    "list",
    "set",
    "hash",
    "sorted-set",
    "geo",
    "stream",
    "generic",
    "transactions",
];

/// Not compared at random, with the reason.
const LEFT_OUT: [(&str, &str); 11] = [
    ("wait", "waits"),
    ("waitaof", "waits"),
    ("object|freq", "depends on maxmemory-policy; a story has it"),
    ("object|refcount", "which small integers Redis shares depends on how they came about"),
    ("object|help", "text"),
    ("xinfo|help", "text"),
    ("xgroup|help", "text"),
    ("swapdb", "moves the other tests' databases"),
    ("migrate", "refused"),
    ("pfselftest", "takes seconds"),
    ("pfdebug", "shows what is inside"),
];

/// Small enough that most collections outgrow them; with the defaults, which every block begins
/// with.
const LIMITS: [(&str, &str, &[&str]); 9] = [
    ("hash-max-listpack-entries", "128", &["0", "4", "20"]),
    ("hash-max-listpack-value", "64", &["0", "5"]),
    ("list-max-listpack-size", "-2", &["1", "4", "-1", "50"]),
    ("set-max-intset-entries", "512", &["0", "4", "30"]),
    ("zset-max-listpack-entries", "128", &["0", "4", "20"]),
    ("zset-max-listpack-value", "64", &["0", "5"]),
    ("stream-node-max-bytes", "4096", &["0", "100", "1000"]),
    ("stream-node-max-entries", "100", &["0", "1", "5"]),
    ("hll-sparse-max-bytes", "3000", &["0", "50", "300"]),
];

/// What reads a key whole, one command for each type; the others answer that the type is wrong.
const READERS: [&[&str]; 12] = [
    &["TYPE"],
    &["PTTL"],
    &["GET"],
    &["LRANGE", "0", "-1"],
    &["SMEMBERS"],
    &["HGETALL"],
    &["ZRANGE", "0", "-1", "WITHSCORES"],
    &["XRANGE", "-", "+"],
    &["XINFO GROUPS"],
    &["XPENDING", "g"],
    &["TYPE"],
    &["OBJECT ENCODING"],
];

#[test]
fn random_commands_are_answered_as_by_redis() {
    let servers = Servers::start();
    let rows = rows(&mut servers.ours.client(), &mut servers.connect(2)[1]);
    assert!(rows.len() > 40, "the generator saw only {} commands", rows.len());
    let total = number_from("COMPAT_COMMANDS").unwrap_or(COMMANDS) as usize;
    compare([servers.ours.port, servers.redis.port], &rows, total);
}

/// What two of the same answer differently is no difference: then the comparison is wrong.
#[test]
fn random_commands_are_answered_alike_by_two_of_redis() {
    let servers = [Redis::start(&[]), Redis::start(&[])];
    let [mut one, mut other] = servers.each_ref().map(|redis| Client::connect(redis.port).unwrap());
    let rows = rows(&mut one, &mut other);
    assert!(rows.len() > 150, "Redis has more than {} commands", rows.len());
    let total = number_from("COMPAT_COMMANDS").map_or(COMMANDS_OF_REDIS, |total| total as usize);
    compare(servers.each_ref().map(|redis| redis.port), &rows, total);
    println!("{}", one.call(&["INFO", "commandstats"]).text());
    println!("{}", one.call(&["INFO", "errorstats"]).text());
}

fn rows(ours: &mut Client, redis: &mut Client) -> Vec<Row> {
    let theirs = table::read(redis);
    let all = table::read(ours);
    let compared = |row: &&Row| {
        GROUPS.contains(&row.group.as_str()) && !LEFT_OUT.iter().any(|(name, _)| *name == row.name)
    };
    // Another test holds the arguments equal but for their names, of which roles are made; what
    // Redis does not have cannot be compared.
    let theirs: Vec<&Row> = theirs.iter().flat_map(Row::callable).filter(compared).collect();
    let in_redis = |row: &Row| theirs.iter().find(|other| other.name == row.name).copied().cloned();
    all.iter().flat_map(Row::callable).filter_map(in_redis).collect()
}

/// Compares servers, ours first, and panics with what differs.
fn compare(ports: [u16; 2], rows: &[Row], total: usize) {
    let seed = seed();
    println!("COMPAT_SEED={seed} COMPAT_COMMANDS={total}");
    let servers = Ports(ports);
    let mut generator = Generator::new(seed, dumps(ports[1]));
    let (mut sent, mut found) = (0, Vec::new());
    while sent < total && found.len() < DIFFERENCES_MAX {
        let protocol = if generator.random().once_in(2) { 2 } else { 3 };
        let block = block(rows, &mut generator);
        sent += block.iter().map(Vec::len).sum::<usize>();
        if let Some(at) = servers.first_difference(protocol, &block) {
            let shrunk = servers.shrink(protocol, block[..=at].to_vec());
            let differs = shrunk.last().and_then(|step| step.last()).map(|words| name(rows, words));
            if found.iter().any(|(known, _)| *known == differs) {
                continue;
            }
            let story = servers.story(protocol, &shrunk);
            let place = saved(&format!("{seed}-{}", found.len()), protocol, &shrunk);
            println!("{place}{story}");
            found.push((differs, story));
        }
    }
    let stories: Vec<&str> = found.iter().map(|(_, story)| story.as_str()).collect();
    assert!(found.is_empty(), "seed {seed}, {sent} commands:\n{}", stories.join("\n"));
    println!("{sent} commands of {} kinds answered alike", rows.len());
}

/// By what a command is known: its first word, with its second if it is a subcommand.
fn name(rows: &[Row], words: &Words) -> String {
    let text = |at: usize| String::from_utf8_lossy(&words[at]).to_ascii_lowercase();
    let both = if words.len() > 1 { format!("{}|{}", text(0), text(1)) } else { text(0) };
    if rows.iter().any(|row| row.name == both) { both } else { text(0) }
}

/// One value of each type and encoding, as Redis dumps them.
fn dumps(port: u16) -> Vec<Vec<u8>> {
    let mut redis = Client::connect(port).expect("a running server accepts connections");
    let many: Vec<String> = (0..600).map(|number| format!("m{number}")).collect();
    let pairs: Vec<String> = many.iter().flat_map(|m| [m[1..].to_owned(), m.clone()]).collect();
    let numbers: Vec<&str> = many.iter().map(|name| &name[1..]).collect();
    let mut dumps = Vec::new();
    let mut dump = |line: &str, more: &[&str]| {
        let words: Vec<&str> = line.split(' ').chain(more.iter().copied()).collect();
        let written = redis.call(&words);
        assert!(!written.is_error(), "{line}: {written}");
        if let resp::Value::Bulk(payload) = redis.call(&["DUMP", words[1]]) {
            dumps.push(payload);
        }
        redis.call(&["DEL", words[1]]);
    };
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let pairs: Vec<&str> = pairs.iter().map(String::as_str).collect();
    for line in ["SET k v", "SET k 12345", "RPUSH k a 1 b", "SADD k 1 2 3", "SADD k a b"] {
        dump(line, &[]);
    }
    for line in ["HSET k f v g 1", "ZADD k 1 a 2.5 b -inf c", "XADD k 1-1 f v", "PFADD k a b c"] {
        dump(line, &[]);
    }
    let long = "x".repeat(500);
    dump("SET k", &[&long]);
    for line in ["RPUSH k", "SADD k", "PFADD k"] {
        dump(line, &many);
    }
    dump("SADD k", &numbers);
    for line in ["HSET k", "ZADD k", "XADD k 7-7"] {
        dump(line, &pairs);
    }
    dumps
}

/// What fills keys: as long as the rest together takes from them, so that they grow.
const BUILDERS: [&str; 18] = [
    "append",
    "setbit",
    "bitfield",
    "pfadd",
    "rpush",
    "lpush",
    "linsert",
    "sadd",
    "sunionstore",
    "hset",
    "hmset",
    "zadd",
    "zincrby",
    "geoadd",
    "xadd",
    "xadd",
    "xgroup|create",
    "xreadgroup",
];

fn block(rows: &[Row], generator: &mut Generator) -> Vec<Step> {
    let mut block = limits(generator.random());
    let limited = !block.is_empty();
    let refused = [b"SET", generator::LEX_WRONG, b"v"];
    block.push(vec![refused.map(<[u8]>::to_vec).into()]);
    generator.begin_again();
    // Most commands of a block are of two groups, so that they build something large together.
    let focus: [&str; 2] = std::array::from_fn(|_| *generator.random().of(&GROUPS[..9]));
    let in_focus = |row: &&Row| focus.contains(&row.group.as_str());
    let builds = |row: &&Row| in_focus(row) && BUILDERS.contains(&row.name.as_str());
    let builders: Vec<&Row> = rows.iter().filter(builds).collect();
    // Where a transaction that is under way ends.
    let mut exec_at = None;
    while block.len() < BLOCK_COMMANDS {
        let random = generator.random();
        if exec_at.is_some_and(|at| block.len() >= at) {
            exec_at = None;
            block.push(vec![vec![b"EXEC".to_vec()]]);
        }
        if random.once_in(200) {
            let db = random.of(&["0", "0", "1", "15", "16"]);
            block.push(vec![vec![b"SELECT".to_vec(), db.as_bytes().to_vec()]]);
        }
        let row = match random.below(4) {
            0 if !builders.is_empty() => *random.of(&builders),
            _ => random.of(rows),
        };
        if (!in_focus(&row) && random.below(3) > 0) || (is_rare(row) && !random.once_in(3)) {
            continue;
        }
        // Ours restores in the encodings that limits ask for; Redis only counts what it restores.
        if limited && row.name == "restore" {
            continue;
        }
        if row.name == "multi" && !random.once_in(4) {
            exec_at = Some(block.len() + 2 + random.below(8));
        }
        block.extend(generator.step(row));
    }
    block.extend(readers(rows));
    block
}

/// A transaction would swallow most of a block if it were as frequent as the rest, and commands
/// that wait take a thousand times as long.
fn is_rare(row: &Row) -> bool {
    let waits = row.name.starts_with('b') && ["list", "sorted-set"].contains(&&*row.group);
    row.group == "transactions" || waits || row.name.starts_with("xread")
}

/// Sets some limits of encodings, in two blocks of three.
fn limits(random: &mut Random) -> Vec<Step> {
    let mut steps = Vec::new();
    let some = random.below(3);
    for (name, _, values) in LIMITS {
        if some > 0 && random.once_in(2) {
            steps.push(vec![config_set(name, random.of::<&str>(values))]);
        }
    }
    steps
}

fn config_set(name: &str, value: &str) -> Words {
    ["CONFIG", "SET", name, value].map(|word| word.as_bytes().to_vec()).into()
}

/// Everything that is left in the end.
fn readers(rows: &[Row]) -> Vec<Step> {
    let readers = READERS.iter().filter(|reader| {
        let words: Words = reader[0].split(' ').map(|word| word.as_bytes().to_vec()).collect();
        rows.iter().any(|row| row.name == name(rows, &words))
    });
    let readers: Vec<&&[&str]> = readers.collect();
    let command = |reader: &[&str], key: &[u8]| -> Words {
        let mut words: Words = reader[0].split(' ').map(|word| word.as_bytes().to_vec()).collect();
        words.push(key.to_vec());
        words.extend(reader[1..].iter().map(|word| word.as_bytes().to_vec()));
        words
    };
    let line = |line: &str| vec![words::split(line).expect("a plain line")];
    let mut steps = vec![line("EXEC"), line("SELECT 0"), line("KEYS *")];
    for key in generator::all_keys() {
        let mut commands: Vec<Words> = readers.iter().map(|reader| command(reader, key)).collect();
        let encoding = commands.split_off(readers.len() - 2);
        steps.extend(commands.into_iter().map(|words| vec![words]));
        steps.push(encoding);
    }
    steps
}

/// The ports of both servers, ours first.
struct Ports([u16; 2]);

impl Ports {
    /// The index of the first step that is answered differently by servers that were emptied.
    fn first_difference(&self, protocol: u8, block: &[Step]) -> Option<usize> {
        let [ours, redis] = self.replies(protocol, block);
        let commands: Vec<&Words> = block.iter().flatten().collect();
        let at = agreement::first_difference(&commands, &ours, &redis)?;
        let mut behind = 0;
        block.iter().position(|step| {
            behind += step.len();
            behind > at
        })
    }

    fn replies(&self, protocol: u8, block: &[Step]) -> [Vec<Vec<u8>>; 2] {
        let mut requests = Vec::new();
        let mut count = 0;
        for command in block.iter().flatten() {
            resp::request(command, &mut requests);
            count += 1;
        }
        self.0.map(|port| {
            let client = Client::connect_speaking(port, protocol);
            let mut client = client.expect("a running server accepts connections");
            client.call(&["FLUSHALL"]);
            for (name, default, _) in LIMITS {
                client.call(&config_set(name, default));
            }
            let replies = client.pipeline(&requests, count);
            replies.unwrap_or_else(|error| {
                panic!("port {port}: {error}; {}", saved("unanswered", protocol, block))
            })
        })
    }

    /// Leaves out ever smaller pieces for as long as the servers still differ.
    fn shrink(&self, protocol: u8, mut block: Vec<Step>) -> Vec<Step> {
        let mut piece = block.len() / 2;
        while piece > 0 {
            let mut at = 0;
            while at < block.len() {
                let mut smaller = block.clone();
                smaller.drain(at..(at + piece).min(block.len()));
                match self.first_difference(protocol, &smaller) {
                    Some(index) => {
                        smaller.truncate(index + 1);
                        block = smaller;
                    }
                    None => at += piece,
                }
            }
            piece /= 2;
        }
        block
    }

    fn story(&self, protocol: u8, block: &[Step]) -> String {
        let [ours, redis] = self.replies(protocol, block);
        let mut text = String::new();
        for ((command, ours), redis) in block.iter().flatten().zip(&ours).zip(&redis) {
            let [ours, redis] = [ours, redis].map(|reply| shown(reply));
            text.push_str(&format!("> {}\nours:  {ours}\nredis: {redis}\n", line(command)));
        }
        text
    }
}

/// Longer replies and lines bury what differs.
const SHOWN_BYTES_MAX: usize = 2_000;

fn shown(reply: &[u8]) -> String {
    let cut = if reply.len() > SHOWN_BYTES_MAX { "..." } else { "" };
    format!("{}{cut}", reply[..reply.len().min(SHOWN_BYTES_MAX)].escape_ascii())
}

fn line(command: &Words) -> String {
    shown(words::join(command).as_bytes()).replace("\\\\", "\\").replace("\\\"", "\"")
}

fn lines(protocol: u8, block: &[Step]) -> String {
    let mut text = format!("== found at random, in RESP{protocol}\n");
    for command in block.iter().flatten() {
        text.push_str(&words::join(command));
        text.push('\n');
    }
    text
}

/// Writes the commands as a story beside the build, and says where.
fn saved(name: &str, protocol: u8, block: &[Step]) -> String {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("random-{name}.txt"));
    match std::fs::write(&path, lines(protocol, block)) {
        Ok(()) => format!("saved as {}\n", path.display()),
        Err(error) => format!("not saved as {}: {error}\n", path.display()),
    }
}
