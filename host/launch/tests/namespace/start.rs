//! How programs are found and started: status, environment, directory, user.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use zoea_launch::{LaunchError, StepStatus};
use zoea_model::{InlineFile, TreePath};
use zoea_rootfs::Identity;

use crate::Cases;
use crate::bench::{Bench, process, root, script};
use crate::way::{ALL, SEVERAL_IDS, Way};

pub(crate) const CASES: Cases = &[
    ("exit_status", ALL, exit_status),
    ("program_not_found", ALL, program_not_found),
    ("program_not_executable", ALL, program_not_executable),
    ("environment_is_exact", ALL, environment_is_exact),
    ("working_directory", ALL, working_directory),
    ("user_and_groups", SEVERAL_IDS, user_and_groups),
    ("missing_ids_are_refused", &[Way::Subordinate, Way::One], missing_ids_are_refused),
    ("set_user_id_programs_work", SEVERAL_IDS, set_user_id_programs_work),
    ("nul_bytes_are_refused", &[Way::Root], nul_bytes_are_refused),
    ("large_arguments", ALL, large_arguments),
    ("scripts_are_there_while_it_runs", ALL, scripts_are_there_while_it_runs),
    ("scripts_are_named_by_one_component", &[Way::Root], scripts_are_named_by_one_component),
];

fn exit_status(bench: &Bench) {
    for code in [0, 1, 42, 255] {
        assert_eq!(bench.run(&script(&format!("exit {code}"))).status, StepStatus::Exited(code));
    }
}

fn program_not_found(bench: &Bench) {
    for (program, expected) in [
        ("nothing", "zoea: cannot start `nothing`: not found in PATH (/bin)\n"),
        ("/bin/nothing", "zoea: cannot start `/bin/nothing`: no such file\n"),
        ("", "zoea: cannot start ``: its name is empty\n"),
    ] {
        let ran = bench.run(&process(program, &[]));
        assert_eq!((ran.status, ran.stderr.as_str()), (StepStatus::Exited(127), expected));
    }
    fs::write(bench.lower.join("script"), "#!/nothing\n").unwrap();
    fs::set_permissions(bench.lower.join("script"), fs::Permissions::from_mode(0o755)).unwrap();
    let ran = bench.run(&process("/script", &[]));
    assert_eq!(ran.status, StepStatus::Exited(127));
    assert_eq!(ran.stderr, "zoea: cannot start `/script`: `/script` is there, but its interpreter is not\n");
}

fn program_not_executable(bench: &Bench) {
    let directory = bench.tree.join("other");
    fs::create_dir(&directory).unwrap();
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(directory.join("echo"), "text").unwrap();
    let ran = bench.run(&process("/other/echo", &[]));
    assert_eq!(ran.status, StepStatus::Exited(126));
    assert_eq!(
        ran.stderr,
        "zoea: cannot start `/other/echo`: `/other/echo`: Permission denied (os error 13)\n"
    );
    assert_eq!(bench.run(&process("/bin", &[])).status, StepStatus::Exited(126));
    fs::set_permissions(directory.join("echo"), fs::Permissions::from_mode(0o755)).unwrap();
    let ran = bench.run(&process("/other/echo", &[]));
    assert_eq!(ran.status, StepStatus::Exited(126));
    assert!(ran.stderr.contains("a script without `#!` line"), "{}", ran.stderr);
    // A file without the permission does not hide the one in a later directory.
    fs::set_permissions(directory.join("echo"), fs::Permissions::from_mode(0o644)).unwrap();
    let mut later = process("echo", &["hi"]);
    later.environment = vec![("PATH".into(), "/other:/bin".into())];
    assert_eq!(bench.run(&later).stdout, "hi\n");
}

fn environment_is_exact(bench: &Bench) {
    let mut process = process("env", &[]);
    process.environment = vec![
        ("PATH".into(), "/bin".into()),
        ("EMPTY".into(), String::new()),
        ("LINES".into(), "a\u{e4}\nb=c".into()),
    ];
    assert_eq!(bench.run(&process).stdout, "PATH=/bin\nEMPTY=\nLINES=a\u{e4}\nb=c\nHOME=/root\n");
    process.environment = vec![("HOME".into(), "/here".into())];
    assert_eq!(bench.run(&process).stdout, "HOME=/here\n", "PATH is looked up, not added");
}

fn working_directory(bench: &Bench) {
    let mut pwd = script("pwd; /bin/readlink /proc/self/cwd");
    fs::create_dir_all(bench.tree.join("a/b")).unwrap();
    fs::set_permissions(bench.tree.join("a"), fs::Permissions::from_mode(0o700)).unwrap();
    symlink("/a/b", bench.tree.join("link")).unwrap();
    for (path, expected) in [("/", "/\n/\n"), ("/a/b", "/a/b\n/a/b\n"), ("/link", "/a/b\n/a/b\n")] {
        pwd.working_directory = TreePath::new(path).unwrap();
        assert_eq!(bench.run(&pwd).stdout, expected);
    }
    // No descriptor of a directory outside the tree is there to enter (CVE-2024-21626).
    for number in 0..32 {
        pwd.working_directory = TreePath::new(format!("/proc/self/fd/{number}")).unwrap();
        let error = bench.try_run(&pwd, &root()).unwrap_err();
        assert!(matches!(error, LaunchError::Prepare { .. }), "{number}: {error}");
    }
    pwd.working_directory = TreePath::new("/missing").unwrap();
    let error = bench.try_run(&pwd, &root()).unwrap_err();
    assert_eq!(error.to_string(), "Failed to enter a step's working directory `/missing`");
    assert_eq!(error.hint(), Some("a WORKDIR instruction makes the directory"));
    assert!(!bench.upper.join("proc").exists(), "a failed step leaves no mount point either");
}

fn user_and_groups(bench: &Bench) {
    let user = Identity { uid: 33, gid: 34, groups: vec![35, 36], home: "/var/www".into() };
    let ran =
        bench.try_run(&script("id -u; id -g; id -G; echo $HOME; echo again >/dev/stdout"), &user).unwrap();
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("33\n34\n34 35 36\n/var/www\nagain\n", ""));
    let text =
        bench.try_run(&script("grep -E '^Cap(Prm|Eff|Inh|Amb)' /proc/self/status"), &user).unwrap().stdout;
    assert!(text.lines().all(|line| line.ends_with("\t0000000000000000")), "{text}");
    assert_eq!(bench.shell("id -G"), "0\n", "root has no groups but its own");
    bench.shell("touch /made && chown 12:34 /made");
    assert_eq!(bench.shell("stat -c %u:%g /made"), "12:34\n");
}

fn missing_ids_are_refused(bench: &Bench) {
    let beyond = if bench.way == Way::One { 1 } else { 65_537 };
    for (uid, gid, groups) in [(beyond, 0, vec![]), (0, beyond, vec![]), (0, 0, vec![beyond])] {
        let identity = Identity { uid, gid, groups, home: "/".into() };
        let result = bench.try_run(&script("echo ran"), &identity);
        if bench.way == Way::One && (uid, gid) == (0, 0) {
            assert_eq!(result.unwrap().stdout, "ran\n", "groups that cannot be set are left out");
            continue;
        }
        let error = result.unwrap_err();
        assert!(matches!(error, LaunchError::NeedsIds { .. }), "{error}");
        assert!(error.hint().unwrap().contains("/etc/subuid"));
    }
}

fn set_user_id_programs_work(bench: &Bench) {
    bench.shell("cp /bin/busybox /bin/busybox-set && chmod 4755 /bin/busybox-set");
    let user = Identity { uid: 33, gid: 33, groups: vec![], home: "/".into() };
    // The set-id program is the step's first process, then a child of it.
    let ids = "^(Uid|NoNewPrivs)";
    let direct = process("/bin/busybox-set", &["grep", "-E", ids, "/proc/self/status"]);
    let child = script(&format!("/bin/busybox-set grep -E '{ids}' /proc/self/status; true"));
    for step in [direct, child] {
        let ran = bench.try_run(&step, &user).unwrap();
        // busybox gives the privilege up again, for commands that should not have it; the saved id shows it had it.
        let ids = ran.stdout.lines().next().unwrap();
        assert!(ids.starts_with("Uid:\t33\t"), "{ran:?}");
        assert!(ran.stdout.ends_with("NoNewPrivs:\t0\n"), "{ran:?}");
    }
    // `su` alone keeps it, and says so when it does not have it.
    let ran = bench.try_run(&process("/bin/busybox-set", &["su", "-c", "true"]), &user).unwrap();
    assert!(!ran.stderr.contains("suid"), "{ran:?}");
    let ran = bench.try_run(&process("/bin/busybox", &["su", "-c", "true"]), &user).unwrap();
    assert!(ran.stderr.contains("suid"), "{ran:?}");
}

fn nul_bytes_are_refused(bench: &Bench) {
    let error = bench.try_run(&script("echo \0"), &root()).unwrap_err();
    assert!(matches!(error, LaunchError::NulByte(_)), "{error}");
}

fn large_arguments(bench: &Bench) {
    let text = "x".repeat(100_000);
    let arguments = [&text; 10].map(String::as_str);
    let ran = bench.run(&process("echo", &arguments));
    assert_eq!(ran.stdout.len(), 10 * 100_001);
    let beyond = "x".repeat(200_000);
    let ran = bench.run(&process("echo", &[&beyond]));
    assert_eq!(ran.status, StepStatus::Exited(126), "{}", ran.stderr);
}

fn inline(name: &str, content: &str) -> InlineFile {
    InlineFile { name: name.to_owned(), content: content.into() }
}

fn scripts_are_there_while_it_runs(bench: &Bench) {
    let mut started = process("/dev/pipes/EOF", &["argument"]);
    started.scripts = vec![
        inline(
            "EOF",
            "#!/bin/sh\necho \"$0 $1\"\nstat -c '%a %u:%g %n' /dev/pipes /dev/pipes/*\n. /dev/pipes/other\n",
        ),
        inline("other", "echo sourced\n"),
    ];
    let expected = "/dev/pipes/EOF argument\n755 0:0 /dev/pipes\n755 0:0 /dev/pipes/EOF\n\
                    755 0:0 /dev/pipes/other\nsourced\n";
    let ran = bench.run(&started);
    assert_eq!((ran.status, ran.stdout.as_str(), ran.stderr.as_str()), (StepStatus::Exited(0), expected, ""));
    // They are in no layer, and the next step has none.
    assert_eq!(fs::read_dir(&bench.upper).unwrap().count(), 0);
    assert_eq!(bench.shell("ls -d /dev/pipes 2>/dev/null || echo none"), "none\n");
}

fn scripts_are_named_by_one_component(bench: &Bench) {
    for name in ["", ".", "..", "../null", "a/b", "a\0b"] {
        let mut started = process("true", &[]);
        started.scripts = vec![inline(name, "")];
        let failed = bench.try_run(&started, &root());
        assert!(matches!(failed, Err(LaunchError::ScriptName(_))), "{name}: {failed:?}");
    }
}
