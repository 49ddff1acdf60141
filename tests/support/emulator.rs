//! Emulators for programs of other platforms, in a user namespace of their own, so that the machine's stay as they are.

/// Mounts what is registered in this user namespace, at first nothing; registers what stands in `$1`, unless it is
/// empty; then becomes the other arguments.
const OWN_EMULATORS: &str = r#"set -eu
registered=/proc/sys/fs/binfmt_misc
mount -t binfmt_misc none $registered
if [ -n "$1" ]; then
    printf %s "$1" > $registered/register
fi
shift
exec "$@""#;

/// An architecture with what tells its programs.
#[derive(Debug, Clone, Copy)]
pub struct Architecture {
    /// In the words of image platforms.
    pub name: &'static str,
    /// The program of Debian's qemu-user-static.
    pub emulator: &'static str,
    /// Width (1: 32 bits, 2: 64) and order (1: little-endian, 2: big) in the words of ELF.
    pub form: (u8, u8),
    /// The number of the architecture in ELF.
    pub machine: u16,
}

/// arm64.
pub const ARM64: Architecture = architecture("arm64", "/usr/bin/qemu-aarch64-static", (2, 1), 183);

/// The architectures that are emulated in tests.
pub const ALL: [Architecture; 7] = [
    ARM64,
    architecture("arm", "/usr/bin/qemu-arm-static", (1, 1), 40),
    architecture("riscv64", "/usr/bin/qemu-riscv64-static", (2, 1), 243),
    architecture("ppc64le", "/usr/bin/qemu-ppc64le-static", (2, 1), 21),
    architecture("s390x", "/usr/bin/qemu-s390x-static", (2, 2), 22),
    architecture("mips64le", "/usr/bin/qemu-mips64el-static", (2, 1), 8),
    architecture("loong64", "/usr/bin/qemu-loongarch64-static", (2, 1), 258),
];

const fn architecture(
    name: &'static str,
    emulator: &'static str,
    form: (u8, u8),
    machine: u16,
) -> Architecture {
    Architecture { name, emulator, form, machine }
}

/// Returns the words of a wrapper for root under which there are no emulators.
pub fn without_emulators() -> Vec<String> {
    wrapper("")
}

/// Returns the words of a wrapper for root under which `program` runs programs of an architecture; `flags` as in the
/// kernel's `admin-guide/binfmt-misc.rst`.
pub fn with_emulator(architecture: Architecture, program: &str, flags: &str) -> Vec<String> {
    let Architecture { form: (class, order), machine, .. } = architecture;
    let half = |number: u16| if order == 2 { number.to_be_bytes() } else { number.to_le_bytes() };
    // The file's type counts but for the bit between executable and shared.
    let start = |kind: u16| {
        [&[0x7f, b'E', b'L', b'F', class, order, 1][..], &[0; 9], &half(kind), &half(machine)].concat()
    };
    let mask = [&[0xff; 7][..], &[0; 9], &half(0xfffe), &[0xff; 2]].concat();
    let escaped = |bytes: &[u8]| bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect::<String>();
    wrapper(&format!(":emulator:M::{}:{}:{program}:{flags}", escaped(&start(2)), escaped(&mask)))
}

fn wrapper(registration: &str) -> Vec<String> {
    let words =
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", OWN_EMULATORS, "sh", registration];
    words.map(str::to_owned).to_vec()
}
