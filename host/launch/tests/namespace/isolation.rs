//! What a step has and what it cannot reach.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use zoea_launch::StepStatus;
use zoea_model::Network;

use crate::Cases;
use crate::bench::{Bench, RESOLVER, process, script};
use crate::way::{ALL, Way};

pub(crate) const CASES: Cases = &[
    ("capabilities", ALL, capabilities),
    ("first_process_of_its_namespace", ALL, first_process_of_its_namespace),
    ("no_descriptor_of_the_host", ALL, no_descriptor_of_the_host),
    ("own_root_only", ALL, own_root_only),
    ("paths_are_masked", ALL, paths_are_masked),
    ("system_is_read_only", ALL, system_is_read_only),
    ("devices", ALL, devices),
    ("device_nodes_do_not_work", &[Way::Root], device_nodes_do_not_work),
    ("name_and_resolver", ALL, name_and_resolver),
    ("no_network", ALL, no_network),
    ("binary_is_out_of_reach", ALL, binary_is_out_of_reach),
    ("signals_and_umask_are_default", ALL, signals_and_umask_are_default),
    ("hostile_links_stay_in_the_tree", ALL, hostile_links_stay_in_the_tree),
    ("links_into_proc_lead_nowhere", ALL, links_into_proc_lead_nowhere),
];

fn capabilities(bench: &Bench) {
    // Docker's fourteen, as `capsh --decode=00000000a80425fb` lists them.
    let text = bench.shell("grep ^Cap /proc/self/status");
    let expected = [
        ("CapInh", "0000000000000000"),
        ("CapPrm", "00000000a80425fb"),
        ("CapEff", "00000000a80425fb"),
        ("CapBnd", "00000000a80425fb"),
        ("CapAmb", "0000000000000000"),
    ];
    let expected: String = expected.iter().map(|(name, set)| format!("{name}:\t{set}\n")).collect();
    assert_eq!(text, expected);
    assert!(bench.shell("mount -t tmpfs none /bin 2>&1 || true").contains("denied"));
}

fn first_process_of_its_namespace(bench: &Bench) {
    assert_eq!(bench.shell("echo $$; echo /proc/[0-9]*"), "1\n/proc/1\n");
    let text = bench.shell("cat /proc/1/stat; ls -l /proc/1/exe");
    let fields: Vec<&str> = text.split_whitespace().collect();
    assert_eq!(
        fields.get(3..6),
        Some(["0", "1", "1"].as_slice()),
        "no parent, own group and session: {text}"
    );
    assert!(text.contains("-> /bin/busybox"), "{text}");
}

fn no_descriptor_of_the_host(bench: &Bench) {
    let text = bench
        .shell("for fd in /proc/self/fd/*; do echo ${fd##*/} $(readlink $fd); done; readlink /proc/1/fd/0");
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines.iter().all(|line| !line.starts_with("3 /") || line.starts_with("3 /proc/")), "{text}");
    assert_eq!(lines.iter().filter(|line| line.contains("pipe:")).count(), 2, "{text}");
    assert_eq!(lines.last(), Some(&"/dev/null"));
    assert_eq!(bench.shell("ls /proc/1/fd/; true"), "0\n1\n2\n", "input, output and error");
    // The standard input is the step's own node: on its /dev, not on the machine's.
    assert_eq!(bench.shell("stat -c %d /dev/null; stat -L -c %d /proc/1/fd/0").lines().count(), 2);
}

fn own_root_only(bench: &Bench) {
    let text = bench.shell("cat /proc/self/mountinfo");
    let allowed = ["/", "/proc", "/sys", "/dev", "/etc/hosts", "/etc/resolv.conf"];
    for line in text.lines() {
        let place = line.split_whitespace().nth(4).unwrap();
        let known = allowed.iter().any(|known| {
            place == *known
                || place.starts_with(&format!("{known}/")) && *known != "/" && !known.contains("etc")
        });
        assert!(known, "{line}");
        assert!(!line.contains("shared:") && !line.contains("master:"), "{line}");
    }
    assert_eq!(bench.shell("ls -d /work /home /root /usr /.. 2>/dev/null || true"), "/..\n");
    assert_eq!(bench.shell("cd /; cd ..; cd ../..; ls -d bin; readlink /proc/1/root"), "bin\n/\n");
}

fn paths_are_masked(bench: &Bench) {
    for path in ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/interrupts"] {
        if fs::exists(path).unwrap() {
            assert_eq!(bench.shell(&format!("cat {path}")), "", "{path}");
        }
    }
    for path in ["/proc/acpi", "/proc/scsi", "/proc/asound", "/sys/firmware"] {
        if fs::exists(path).unwrap() {
            assert_eq!(bench.shell(&format!("ls -A {path}")), "", "{path}");
            assert_ne!(bench.run(&script(&format!("touch {path}/x"))).status, StepStatus::Exited(0));
        }
    }
    for path in ["/proc/sys/kernel/hostname", "/proc/sysrq-trigger", "/proc/sys/net/ipv4/ip_forward"] {
        let ran = bench.run(&script(&format!("echo x > {path}")));
        assert_ne!(ran.status, StepStatus::Exited(0), "{path}");
    }
}

fn system_is_read_only(bench: &Bench) {
    assert_ne!(bench.shell("ls /sys"), "", "it is there");
    let text = bench.shell("grep ' /sys' /proc/self/mountinfo");
    for line in text.lines() {
        let options = line.split_whitespace().nth(5).unwrap();
        assert!(options.split(',').any(|option| option == "ro"), "{line}");
    }
    assert_ne!(bench.run(&script("echo 1 >/sys/kernel/mm/ksm/run")).status, StepStatus::Exited(0));
}

fn devices(bench: &Bench) {
    assert_eq!(
        bench.shell("cd /dev; echo *"),
        "core fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero\n"
    );
    assert_eq!(
        bench.shell("echo x >/dev/null; head -c 3 /dev/zero | wc -c; head -c 5 /dev/urandom | wc -c"),
        "3\n5\n"
    );
    assert_ne!(bench.run(&script("echo x >/dev/full")).status, StepStatus::Exited(0));
    assert_eq!(bench.shell("echo out >/dev/stdout; echo err >/dev/fd/1; cat /dev/stdin"), "out\nerr\n");
    assert_eq!(
        bench.shell("stat -c '%a %n' /dev/shm /dev/pts/ptmx /dev/null; touch /dev/shm/x; ls /dev/shm"),
        "1777 /dev/shm\n666 /dev/pts/ptmx\n666 /dev/null\nx\n"
    );
    assert_eq!(bench.shell("ls /dev/shm"), "", "each step has its own");
    assert_eq!(bench.shell("exec 5<>/dev/ptmx; ls /dev/pts"), "0\nptmx\n");
}

fn device_nodes_do_not_work(bench: &Bench) {
    // A node can be made, because images hold nodes, but nowhere opened.
    for place in ["/null", "/dev/shm/null", "/dev/made"] {
        let ran = bench.run(&script(&format!("mknod {place} c 1 3 && cat {place}")));
        assert_ne!(ran.status, StepStatus::Exited(0), "{place}");
        assert!(ran.stderr.contains("Permission denied"), "{place}: {}", ran.stderr);
    }
    assert_eq!(bench.shell("stat -c %t:%T /null"), "1:3\n");
}

fn name_and_resolver(bench: &Bench) {
    assert_eq!(bench.shell("hostname; cat /proc/sys/kernel/domainname"), "buildkitsandbox\n(none)\n");
    assert_eq!(bench.shell("cat /etc/resolv.conf"), RESOLVER);
    let hosts = "127.0.0.1\tlocalhost buildkitsandbox\n::1\tlocalhost ip6-localhost ip6-loopback\n";
    assert_eq!(bench.shell("cat /etc/hosts"), hosts);
    for path in ["/etc/hosts", "/etc/resolv.conf"] {
        let ran = bench.run(&script(&format!("echo x >>{path}")));
        assert!(ran.stderr.contains("Read-only"), "{}", ran.stderr);
        assert_eq!(bench.shell(&format!("stat -c '%a %u:%g %h' {path}")), "644 0:0 1\n");
    }
}

fn no_network(bench: &Bench) {
    let mut step = script("ls /sys/class/net; ifconfig lo; cat /proc/net/route | wc -l");
    step.network = Network::None;
    let ran = bench.run(&step);
    assert!(ran.stdout.starts_with("lo\n"), "{ran:?}");
    assert!(ran.stdout.contains("UP LOOPBACK RUNNING") && ran.stdout.contains("127.0.0.1"), "{ran:?}");
    assert!(ran.stdout.ends_with("\n1\n"), "no route: {ran:?}");
    let names = |text: &str| text.lines().count();
    let host = fs::read_to_string("/proc/net/dev").unwrap();
    step = script("cat /proc/net/dev");
    assert_eq!(names(&bench.run(&step).stdout), names(&host), "the host's network by default");
    step.network = Network::Host;
    assert_eq!(names(&bench.run(&step).stdout), names(&host));
}

/// The ways of CVE-2019-5736: a program that is a link to `/proc/self/exe`, or a script that names it.
fn binary_is_out_of_reach(bench: &Bench) {
    symlink("/proc/self/exe", bench.tree.join("link")).unwrap();
    fs::write(bench.tree.join("script"), "#!/proc/self/exe\n").unwrap();
    fs::set_permissions(bench.tree.join("script"), fs::Permissions::from_mode(0o755)).unwrap();
    for program in ["/link", "/script"] {
        // The builder's binary cannot even be loaded: its dynamic loader is not in the tree.
        let ran = bench.run(&process(program, &[]));
        assert_eq!(ran.status, StepStatus::Exited(127), "{ran:?}");
    }
    // Were there a loader in the tree, it could write nothing through the link: the mount is read-only.
    let handles = fs::read_dir("/proc/self/fd").unwrap().map(|entry| entry.unwrap().path());
    let running = fs::metadata("/proc/self/exe").unwrap();
    let mut found = 0;
    for handle in handles {
        use std::os::unix::fs::MetadataExt as _;
        let Ok(status) = fs::metadata(&handle) else { continue };
        if (status.dev(), status.ino()) == (running.dev(), running.ino()) {
            found += 1;
            let flags = rustix::fs::statvfs(&handle).unwrap().f_flag;
            assert!(flags.contains(rustix::fs::StatVfsMountFlags::RDONLY), "{handle:?}");
            // Which of several reasons comes first depends on the kernel; while the builder runs, it is also busy.
            fs::File::options().append(true).open(&handle).unwrap_err();
        }
    }
    assert_eq!(found, 1);
}

fn signals_and_umask_are_default(bench: &Bench) {
    // The caller ignores signals, and the builder ignores SIGPIPE.
    let text = bench.run(&process("grep", &["-E", "^Sig(Blk|Ign)", "/proc/self/status"])).stdout;
    assert_eq!(text, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
    assert_eq!(bench.shell("umask"), "0022\n");
}

fn hostile_links_stay_in_the_tree(bench: &Bench) {
    let outside = bench.directory.join("outside");
    fs::create_dir(&outside).unwrap();
    fs::set_permissions(&outside, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(outside.join("hosts"), "mine").unwrap();
    symlink(&outside, bench.tree.join("etc")).unwrap();
    symlink(format!("../../../..{}/sys", outside.display()), bench.tree.join("sys")).unwrap();
    symlink("/run/loop", bench.tree.join("proc")).unwrap();
    let ran = bench.run(&script("echo hi; ls /run/loop/self/fd | wc -l"));
    assert_eq!(ran.stdout, "hi\n4\n", "{ran:?}");
    assert_eq!(fs::read_to_string(outside.join("hosts")).unwrap(), "mine");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    assert!(!bench.upper.join("run").exists(), "what was made for the links is gone");
    for target in ["/proc", "/", "..", "bin/.."] {
        fs::remove_file(bench.tree.join("proc")).unwrap();
        symlink(target, bench.tree.join("proc")).unwrap();
        let error = bench.try_run(&script("echo hi"), &crate::bench::root()).unwrap_err();
        assert_eq!(error.to_string(), "Failed to make the mount point `/proc` in the tree", "{target}");
    }
}

/// As soon as `/proc` is mounted, these would lead out of the tree, to what the builder's process can reach.
fn links_into_proc_lead_nowhere(bench: &Bench) {
    let outside = bench.directory.join("outside");
    fs::create_dir(&outside).unwrap();
    for root in ["/proc/1/root", "/proc/self/root", "/proc/self/cwd", "/proc/thread-self/root"] {
        for (link, directory) in [("dev", "outside"), ("etc", "outside"), ("sys", "outside")] {
            let path = bench.directory.join(directory);
            symlink(format!("{root}{}", path.display()), bench.tree.join(link)).unwrap();
            // Whether the step runs does not matter: it asked for it.
            match bench.try_run(&script("echo hi"), &crate::bench::root()) {
                Ok(_) | Err(_) => {}
            }
            fs::remove_file(bench.tree.join(link)).unwrap();
            assert_eq!(fs::read_dir(&outside).unwrap().count(), 0, "{link} -> {root}");
        }
    }
    for link in ["/proc/self/fd/3", "/proc/self/fd/4", "/proc/1/root"] {
        symlink(link, bench.tree.join("dev")).unwrap();
        match bench.try_run(&script("echo hi"), &crate::bench::root()) {
            Ok(_) | Err(_) => {}
        }
        fs::remove_file(bench.tree.join("dev")).unwrap();
    }
    assert!(!fs::exists("/resolver").unwrap() && !fs::exists("/empty-file").unwrap());
    assert_eq!(fs::read_dir(&bench.upper).unwrap().count(), 0);
}
