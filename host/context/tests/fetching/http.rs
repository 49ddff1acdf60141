//! Files of web servers.

use std::time::Duration;

use zoea_model::{Digest, HttpSource, Remote, SafeUrl, Secret, Timestamp, TreePath};

use crate::bench::{Bench, content};
use crate::server::{Answer, Server};

fn remote(url: &str) -> Remote {
    Remote::Http(HttpSource { url: SafeUrl::new(url), file_name: "file".to_owned(), checksum: None })
}

fn with_checksum(url: &str, content: &[u8]) -> Remote {
    let checksum = Some(Digest::of(content));
    Remote::Http(HttpSource { url: SafeUrl::new(url), file_name: "file".to_owned(), checksum })
}

#[test]
fn a_file_comes_with_its_time_and_validator() {
    let server = Server::start(|_, _| {
        Answer::ok("hello").with("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT").with("ETag", "\"v1\"")
    });
    let bench = Bench::new();
    let fetched = bench.fetch(&with_checksum(&server.url("a/b?key=1"), b"hello"));
    assert_eq!(content(&fetched, "file"), b"hello");
    let time = Timestamp::from_seconds(784_111_777);
    assert_eq!((fetched.modified, fetched.validator.as_deref()), (Some(time), Some("\"v1\"")));
    let attributes = fetched.context.lookup(&TreePath::new("file").unwrap()).unwrap().unwrap().attributes;
    assert_eq!((attributes.uid, attributes.gid, attributes.mode), (0, 0, 0o600));
    assert_eq!(attributes.mtime, time);
    let asked = server.asked();
    assert_eq!(asked[0].path, "/a/b?key=1");
    assert!(asked[0].header("user-agent").unwrap().starts_with("zoea/"));
}

#[test]
fn without_a_date_a_file_is_of_1970() {
    for date in [None, Some("yesterday"), Some("Sun, 06 Nov 1899 08:49:37 GMT")] {
        let server = Server::start(move |_, _| match date {
            Some(date) => Answer::ok("").with("Last-Modified", date),
            None => Answer::ok(""),
        });
        let bench = Bench::new();
        let fetched = bench.fetch(&remote(&server.url("")));
        assert_eq!(fetched.modified, None);
        let entry = fetched.context.lookup(&TreePath::new("file").unwrap()).unwrap().unwrap();
        assert_eq!(entry.attributes.mtime, Timestamp::EPOCH);
    }
}

#[test]
fn the_same_is_fetched_once() {
    let server = Server::start(|asked, _| Answer::ok(asked.path.as_bytes()));
    let bench = Bench::new();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| bench.fetch(&remote(&server.url("one"))));
        }
    });
    assert_eq!(content(&bench.fetch(&remote(&server.url("two"))), "file"), b"/two");
    assert_eq!(server.asked().len(), 2);
}

#[test]
fn a_compressed_transfer_is_undone() {
    // `printf hello | gzip -n`
    let bytes = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xcbH\xcd\xc9\xc9\x07\0\x86\xa6\x106\x05\0\0\0";
    let server = Server::start(move |asked, _| {
        assert_eq!(asked.header("accept-encoding"), Some("gzip"));
        let answer = Answer::ok(bytes);
        if asked.path == "/as-sent" { answer } else { answer.with("Content-Encoding", "gzip") }
    });
    let bench = Bench::new();
    assert_eq!(content(&bench.fetch(&with_checksum(&server.url(""), b"hello")), "file"), b"hello");
    assert_eq!(content(&bench.fetch(&remote(&server.url("as-sent"))), "file"), bytes);
}

#[test]
fn a_wrong_digest_is_refused_with_both() {
    let server = Server::start(|_, _| Answer::ok("other"));
    let failure = Bench::new().failure(&with_checksum(&server.url("x"), b"hello"));
    for digest in [Digest::of(b"other"), Digest::of(b"hello")] {
        assert!(failure.contains(&digest.to_string()), "{failure}");
    }
}

#[test]
fn passing_failures_are_tried_again() {
    let server = Server::start(|_, number| match number {
        0 => Answer::status(503),
        // Fewer bytes than announced.
        1 => Answer::short("hel", 5),
        _ => Answer::ok("hello"),
    });
    let bench = Bench::new();
    let fetched = bench.fetch(&remote(&server.url("x")));
    assert_eq!(content(&fetched, "file"), b"hello");
    assert_eq!(server.asked().len(), 3);
}

#[test]
fn final_failures_are_not_tried_again() {
    let server = Server::start(|_, _| Answer::status(404));
    let failure = Bench::new().failure(&remote(&server.url("x?token=secret")));
    assert!(failure.contains("404") && !failure.contains("secret"), "{failure}");
    assert_eq!(server.asked().len(), 1);
    let bench = Bench::new();
    let failure = bench.failure(&remote("http://user:secret@127.0.0.1:1/x?token=secret"));
    assert!(failure.contains("reach") && !failure.contains("secret"), "{failure}");
}

#[test]
fn redirects_are_followed_but_not_for_ever() {
    let server = Server::start(|asked, number| match asked.path.as_str() {
        "/loop" => Answer::redirect("loop"),
        "/file" => Answer::redirect("file:///etc/passwd"),
        "/once" => Answer::redirect("/there"),
        path => Answer::ok(format!("{path} {number}")),
    });
    let bench = Bench::new();
    assert_eq!(content(&bench.fetch(&remote(&server.url("once"))), "file"), b"/there 1");
    assert!(bench.failure(&remote(&server.url("loop"))).contains("more than 10"));
    assert_eq!(server.asked().len(), 13);
    assert!(bench.failure(&remote(&server.url("file"))).contains("neither HTTP nor HTTPS"));
}

#[test]
fn credentials_go_to_their_host_only() {
    let elsewhere = Server::start(|_, _| Answer::ok(""));
    let target = elsewhere.url("x");
    let server = Server::start(move |asked, _| match asked.path.as_str() {
        "/here" => Answer::redirect("/x"),
        "/there" => Answer::redirect(&target),
        _ => Answer::ok(""),
    });
    let bench = Bench::with(|settings| {
        settings.secrets.insert("HTTP_AUTH_HEADER_127.0.0.1".to_owned(), Secret::new("Basic eA=="));
        settings.secrets.insert("HTTP_AUTH_TOKEN_127.0.0.1".to_owned(), Secret::new("key\n"));
    });
    bench.fetch(&remote(&server.url("here")));
    bench.fetch(&remote(&server.url("there")));
    for asked in server.asked() {
        assert_eq!(asked.header("authorization"), Some("Bearer key"), "{asked:?}");
    }
    assert_eq!(elsewhere.asked()[0].header("authorization"), None);
}

#[test]
fn what_has_no_end_is_cut() {
    let server = Server::start(|asked, _| match asked.path.as_str() {
        "/announced" => Answer::status(200).with("Content-Length", "1048577"),
        _ => Answer::endless([0; 65_536], Duration::ZERO),
    });
    let bench = Bench::with(|settings| settings.largest_file = 1 << 20);
    for path in ["endless", "announced"] {
        let failure = bench.failure(&remote(&server.url(path)));
        assert!(failure.contains("larger than 1048576"), "{failure}");
    }
}

#[test]
fn what_hardly_comes_is_given_up() {
    let server = Server::start(|_, _| Answer::endless("x", Duration::from_millis(20)));
    let bench = Bench::with(|settings| settings.patience = Duration::from_millis(200));
    let failure = bench.failure(&remote(&server.url("slow")));
    assert!(failure.contains("fewer than"), "{failure}");
}

#[test]
fn malformed_addresses_and_names_are_refused() {
    let bench = Bench::new();
    for url in ["http://", "ftp://host/x", "http://ho st/x", "http://host:99999/"] {
        assert!(bench.failure(&remote(url)).contains("malformed"), "{url}");
    }
    for name in ["", ".", "..", "a/b", "a\0"] {
        let url = SafeUrl::new("http://127.0.0.1:1/");
        let source = HttpSource { url, file_name: name.to_owned(), checksum: None };
        assert!(bench.failure(&Remote::Http(source)).contains("no file name"), "{name:?}");
    }
}
