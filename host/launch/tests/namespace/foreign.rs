//! Programs for other platforms.

use zoea_launch::{LaunchError, Launcher as _, Obstacle};

use crate::Cases;
use crate::bench::Bench;
use crate::way::ALL;

pub(crate) const CASES: Cases = &[
    ("native_programs_run", ALL, native_programs_run),
    ("foreign_programs_do_not", ALL, foreign_programs_do_not),
];

fn native_programs_run(bench: &Bench) {
    let before = std::fs::read_dir(&bench.directory).unwrap().count();
    bench.launcher.try_platform(&zoea_model::Platform::host(), &bench.directory).unwrap();
    // Of what it does not know, the launcher says nothing.
    bench.launcher.try_platform(&"wasi/wasm".parse().unwrap(), &bench.directory).unwrap();
    assert_eq!(std::fs::read_dir(&bench.directory).unwrap().count(), before);
}

/// On no machine do all of these have an emulator.
fn foreign_programs_do_not(bench: &Bench) {
    let registered = |name: &str| std::path::Path::new("/proc/sys/fs/binfmt_misc").join(name).exists();
    for (platform, name) in [("linux/loong64", "qemu-loongarch64"), ("linux/mips64le", "qemu-mips64el")] {
        let platform: zoea_model::Platform = platform.parse().unwrap();
        if registered(name) || platform == zoea_model::Platform::host() {
            continue;
        }
        let error = bench.launcher.try_platform(&platform, &bench.directory).unwrap_err();
        let expected = [Obstacle::Unregistered, Obstacle::Unseen, Obstacle::Disabled];
        assert!(
            matches!(&error, LaunchError::Foreign { obstacle, .. } if expected.contains(obstacle)),
            "{error}"
        );
        assert!(error.hint().is_some());
    }
}
