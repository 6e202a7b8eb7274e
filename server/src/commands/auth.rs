//! AUTH and HELLO: who the client is and how it speaks.
//!
//! There is one user, `default`, whose password is the setting `requirepass`. Passwords appear in
//! no reply and no log; the comparison takes the same time wherever the first difference is.

use std::sync::atomic::Ordering;

use keyspace::Args;
use resp::{Protocol, Reply};

use super::client::valid_name;
use super::{REDIS_VERSION, Scope, errors};
use crate::session::Session;
use crate::settings::Settings;

const WRONG_PASSWORD: Reply<'static> =
    Reply::error("WRONGPASS invalid username-password pair or user is disabled.");

const NOTHING_CONFIGURED: Reply<'static> = Reply::error(
    "ERR AUTH <password> called without any password configured for the default user. \
     Are you sure your configuration is correct?",
);

const HELLO_WITHOUT_AUTH: Reply<'static> = Reply::error(
    "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH \
     <user> <pass> option can be used to authenticate the client and select the RESP protocol \
     version at the same time",
);

/// AUTH [username] password
pub(super) fn auth(scope: &mut Scope<'_>, args: Args<'_>) -> Reply<'static> {
    match authenticate(&scope.node.config.settings, args) {
        Ok(()) => {
            scope.session.authenticated = true;
            Reply::OK
        }
        // A client that was authenticated stays so, as in Redis.
        Err(error) => error,
    }
}

fn authenticate(settings: &Settings, args: Args<'_>) -> Result<(), Reply<'static>> {
    let accepted = match args {
        [_, _] if !settings.requires_password() => return Err(NOTHING_CONFIGURED),
        [_, password] => accepts(settings, b"default", password),
        [_, user, password] => accepts(settings, user, password),
        _ => return Err(errors::SYNTAX),
    };
    if accepted { Ok(()) } else { Err(WRONG_PASSWORD) }
}

/// HELLO [protover [AUTH username password] [SETNAME clientname]]
pub(super) fn hello(scope: &mut Scope<'_>, args: Args<'_>) -> Reply<'static> {
    if let Err(error) = introduce(scope.session, &scope.node.config.settings, args) {
        return error;
    }
    let mode = if scope.node.config.settings.cluster_enabled() { "cluster" } else { "standalone" };
    let role = if scope.node.group.leads() { "master" } else { "replica" };
    greeting(scope.session, mode, role)
}

/// Whether the user's password is this one; any password is, while none is asked for.
fn accepts(settings: &Settings, user: &[u8], password: &[u8]) -> bool {
    user == b"default" && (!settings.requires_password() || settings.password_matches(password))
}

/// What HELLO changes: all of it, or nothing when something is wrong.
fn introduce(
    session: &mut Session,
    settings: &Settings,
    args: Args<'_>,
) -> Result<(), Reply<'static>> {
    let mut authenticated = session.authenticated;
    let mut name = None;
    let mut protocol = None;
    if let Some(version) = args.get(1) {
        protocol = Some(match errors::strict_integer(version) {
            Some(2) => Protocol::Resp2,
            Some(3) => Protocol::Resp3,
            Some(_) => return Err(Reply::error("NOPROTO unsupported protocol version")),
            None => {
                return Err(Reply::error("ERR Protocol version is not an integer or out of range"));
            }
        });
    }
    let mut rest = args.get(2..).unwrap_or_default();
    while let [option, values @ ..] = rest {
        if option.eq_ignore_ascii_case(b"AUTH") && values.len() >= 2 {
            if !accepts(settings, values[0], values[1]) {
                return Err(WRONG_PASSWORD);
            }
            authenticated = true;
            rest = &values[2..];
        } else if option.eq_ignore_ascii_case(b"SETNAME") && !values.is_empty() {
            name = Some(valid_name(values[0])?);
            rest = &values[1..];
        } else {
            let option = errors::word(option);
            let text = format!("ERR Syntax error in HELLO option '{option}'");
            return Err(Reply::Error(text.into()));
        }
    }
    if !authenticated {
        return Err(HELLO_WITHOUT_AUTH);
    }
    session.authenticated = true;
    if let Some(name) = name {
        session.client.set_name(name);
    }
    if let Some(protocol) = protocol {
        session.speak(protocol);
    }
    Ok(())
}

/// HELLO's answer.
fn greeting(session: &Session, mode: &'static str, role: &'static str) -> Reply<'static> {
    let id = i64::try_from(session.client.id).expect("counted from 1");
    let pairs = [
        ("server", text("redis")),
        ("version", text(REDIS_VERSION)),
        ("proto", Reply::Integer(session.client.resp.load(Ordering::Relaxed).into())),
        ("id", Reply::Integer(id)),
        ("mode", text(mode)),
        ("role", text(role)),
        ("modules", Reply::Array(Vec::new())),
    ];
    Reply::Map(pairs.map(|(key, value)| (text(key), value)).into())
}

fn text(text: &'static str) -> Reply<'static> {
    Reply::Bulk(text.as_bytes().into())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{encoded, error_text, session};
    use super::*;
    use crate::session::Clients;

    fn with_password() -> Settings {
        let settings = Settings::default();
        settings.set("requirepass", "secret").unwrap();
        settings
    }

    fn split(line: &str) -> Vec<&[u8]> {
        line.split(' ').map(str::as_bytes).collect()
    }

    #[test]
    fn auth_accepts_the_password_only() {
        let settings = with_password();
        let refused = |line: &str| error_text(authenticate(&settings, &split(line)));
        for wrong in ["auth wrong", "auth secre", "auth secrets", "auth default x", "auth a secret"]
        {
            let text = "WRONGPASS invalid username-password pair or user is disabled.";
            assert_eq!(refused(wrong), text, "{wrong}");
        }
        assert_eq!(refused("auth a b c"), "ERR syntax error");
        for right in ["auth secret", "auth default secret"] {
            assert_eq!(authenticate(&settings, &split(right)), Ok(()), "{right}");
        }
    }

    #[test]
    fn auth_without_a_password_set_is_as_in_redis() {
        let settings = Settings::default();
        assert_eq!(
            error_text(authenticate(&settings, &split("auth x"))),
            "ERR AUTH <password> called without any password configured for the default user. Are \
             you sure your configuration is correct?"
        );
        assert_eq!(authenticate(&settings, &split("auth default x")), Ok(()));
        assert_eq!(authenticate(&settings, &split("auth other x")), Err(WRONG_PASSWORD));
    }

    #[tokio::test]
    async fn hello_changes_all_or_nothing() {
        let settings = with_password();
        let clients = Clients::default();
        let mut session = session(&clients, false).await;
        let mut refused = |line: &str| error_text(introduce(&mut session, &settings, &split(line)));
        assert_eq!(refused("hello 4"), "NOPROTO unsupported protocol version");
        assert_eq!(refused("hello x"), "ERR Protocol version is not an integer or out of range");
        assert_eq!(refused("hello 2 AUTH default"), "ERR Syntax error in HELLO option 'AUTH'");
        assert_eq!(refused("hello 3 auth default no"), WRONG_PASSWORD_TEXT);
        assert_eq!(
            refused("hello 3 auth default secret setname \u{1}"),
            "ERR Client names cannot contain spaces, newlines or special characters."
        );
        assert!(refused("hello 3 setname foo").starts_with("NOAUTH HELLO must be called with"));
        assert!(refused("hello").starts_with("NOAUTH HELLO must be called with"));
        assert_eq!((session.authenticated, session.protocol), (false, Protocol::Resp2));
        assert_eq!(session.client.names().name, b"");

        let line = split("hello 3 auth default secret setname foo");
        assert_eq!(introduce(&mut session, &settings, &line), Ok(()));
        assert_eq!((session.authenticated, session.protocol), (true, Protocol::Resp3));
        assert_eq!(session.client.names().name, b"foo");
    }

    const WRONG_PASSWORD_TEXT: &str =
        "WRONGPASS invalid username-password pair or user is disabled.";

    #[tokio::test]
    async fn hello_answers_redis_map() {
        let clients = Clients::default();
        let mut session = session(&clients, true).await;
        let flat = encoded(&greeting(&session, "standalone", "master"), Protocol::Resp2);
        assert_eq!(
            flat,
            "*14\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n7.2.4\r\n$5\r\nproto\r\n:2\r\n\
             $2\r\nid\r\n:1\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n\
             $7\r\nmodules\r\n*0\r\n"
        );
        introduce(&mut session, &Settings::default(), &split("hello 3")).unwrap();
        let map = encoded(&greeting(&session, "cluster", "replica"), Protocol::Resp3);
        assert!(map.starts_with("%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n"), "{map}");
        assert!(map.contains("$5\r\nproto\r\n:3\r\n"), "{map}");
        assert!(map.contains("$4\r\nmode\r\n$7\r\ncluster\r\n$4\r\nrole\r\n$7\r\nreplica\r\n"));
    }
}
