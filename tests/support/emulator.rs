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

/// What of an arm64 program's first bytes tells what it is, and which of their bits count: ELF, 64 bits, little-endian,
/// executable or shared, machine 183.
const ARM64: &str = r"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00";
const ARM64_MASK: &str = r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff";

/// Returns the words of a wrapper for root under which there are no emulators.
pub fn without_emulators() -> Vec<String> {
    wrapper("")
}

/// Returns the words of a wrapper for root under which `program` runs arm64 programs; `flags` as in the kernel's
/// `admin-guide/binfmt-misc.rst`.
pub fn with_arm64(program: &str, flags: &str) -> Vec<String> {
    wrapper(&format!(":arm64:M::{ARM64}:{ARM64_MASK}:{program}:{flags}"))
}

fn wrapper(registration: &str) -> Vec<String> {
    let words =
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", OWN_EMULATORS, "sh", registration];
    words.map(str::to_owned).to_vec()
}
