//! The loopback device of a network namespace.
//!
//! Owns the two requests that switch it on. Configures nothing else of any network.

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};

use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

/// Switches on the device `lo` of this network namespace (`netdevice(7)`).
///
/// # Errors
/// Whatever the kernel says, `EPERM` without `CAP_NET_ADMIN` over the namespace.
pub fn raise_loopback() -> io::Result<()> {
    let socket: OwnedFd = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    let mut name = [0; libc::IFNAMSIZ];
    for (byte, character) in name.iter_mut().zip(c"lo".to_bytes()) {
        *byte = libc::c_char::from_ne_bytes([*character]);
    }
    let mut request =
        libc::ifreq { ifr_name: name, ifr_ifru: libc::__c_anonymous_ifr_ifru { ifru_flags: 0 } };
    // SAFETY: SIOCGIFFLAGS reads the name and writes the flags of the `ifreq` that it is given, which is alive.
    // JUSTIFICATION: the standard library and rustix have no requests for network devices.
    if unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFFLAGS, &raw mut request) } == -1 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the request succeeded, so the flags are the member of the union that was written.
    // JUSTIFICATION: reading a member of a C union has no safe form.
    let flags = unsafe { request.ifr_ifru.ifru_flags };
    let up = libc::c_short::try_from(libc::IFF_UP).map_err(io::Error::other)?;
    request.ifr_ifru = libc::__c_anonymous_ifr_ifru { ifru_flags: flags | up };
    // SAFETY: SIOCSIFFLAGS only reads the `ifreq`, whose name and flags are set.
    // JUSTIFICATION: as above.
    if unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) } == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
