//! What a NIC and its driver say of themselves, which XDP lives with or stumbles over: by ethtool's ioctl, and by the
//! kernel's `netdev` family where it has one (6.3).
#![expect(unsafe_code, reason = "the ioctl takes raw pointers")]

use std::ffi::c_void;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use rtnetlink::sys::Socket;

/// What is known of a NIC; `None` is what the driver or the kernel does not tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hardware {
    /// The driver's name.
    pub driver: Option<String>,
    /// Whether the driver runs XDP itself, and does so on frames in several buffers.
    pub xdp: Option<XdpAbility>,
    /// Its receive queues.
    pub queues: Option<Queues>,
    /// Large receive offload is on.
    pub lro: Option<bool>,
    /// The NIC joins segments (`rx-gro-hw`).
    pub gro_hw: Option<bool>,
    /// The NIC takes VLAN tags off (`rx-vlan-hw-parse`).
    pub rx_vlan: Option<bool>,
}

/// Queues that receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queues {
    /// In use.
    pub now: u32,
    /// The most there can be.
    pub most: u32,
    /// Whether they send, too (`combined`), rather than receive alone (`rx`).
    pub combined: bool,
}

/// What a driver does with XDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct XdpAbility {
    /// It runs programs (`NETDEV_XDP_ACT_BASIC`).
    pub native: bool,
    /// Also on frames of several buffers (`NETDEV_XDP_ACT_RX_SG`).
    pub several_buffers: bool,
}

/// Asks about the interface of this name and index, in the network namespace of this thread.
#[must_use]
pub fn hardware(name: &str, index: u32) -> Hardware {
    let Ok(ethtool) = Ethtool::of(name) else { return Hardware::default() };
    let features = ethtool.features().unwrap_or_default();
    let on = |wanted: &str| features.iter().find(|(name, _)| name == wanted).map(|(_, on)| *on);
    Hardware {
        driver: ethtool.driver().ok(),
        xdp: xdp_ability(index).ok(),
        queues: ethtool.queues().ok(),
        lro: on("rx-lro"),
        gro_hw: on("rx-gro-hw"),
        rx_vlan: on("rx-vlan-hw-parse"),
    }
}

// Commands of the kernel's include/uapi/linux/ethtool.h.
const GDRVINFO: u32 = 0x03;
const GSTRINGS: u32 = 0x1b;
const GSSET_INFO: u32 = 0x37;
const GFEATURES: u32 = 0x3a;
const GCHANNELS: u32 = 0x3c;
/// `ETH_SS_FEATURES`.
const FEATURES: u32 = 4;
/// `ETH_GSTRING_LEN`.
const STRING: usize = 32;
/// `SIOCETHTOOL`.
const SIOCETHTOOL: libc::c_ulong = 0x8946;

struct Ethtool {
    socket: OwnedFd,
    name: [u8; libc::IFNAMSIZ],
}

impl Ethtool {
    fn of(name: &str) -> io::Result<Self> {
        let mut bytes = [0; libc::IFNAMSIZ];
        if name.len() >= bytes.len() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        bytes[..name.len()].copy_from_slice(name.as_bytes());
        let socket = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
        Ok(Self { socket, name: bytes })
    }

    /// One command: `data` begins with its number, and is as long as the command reads and writes.
    fn ask(&self, data: &mut [u32]) -> io::Result<()> {
        #[repr(C)]
        struct Request {
            name: [u8; libc::IFNAMSIZ],
            data: *mut c_void,
            /// `struct ifreq` is a union with longer members.
            rest: [u64; 2],
        }
        let mut request = Request { name: self.name, data: data.as_mut_ptr().cast(), rest: [0; 2] };
        // SAFETY: the kernel reads a whole `struct ifreq`, and writes no more behind its pointer than the caller has room for.
        let result =
            unsafe { libc::ioctl(self.socket.as_fd().as_raw_fd(), SIOCETHTOOL as _, &raw mut request) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// `struct ethtool_drvinfo`: the command, then the driver's name in 32 bytes, of 196 in all.
    fn driver(&self) -> io::Result<String> {
        let mut data = [0; 49];
        data[0] = GDRVINFO;
        self.ask(&mut data)?;
        Ok(text(&data[1..9]))
    }

    /// `struct ethtool_channels`: the most there can be of each kind, then how many there are.
    fn queues(&self) -> io::Result<Queues> {
        let mut data = [0; 9];
        data[0] = GCHANNELS;
        self.ask(&mut data)?;
        let [_, most_rx, _, _, most_combined, rx, _, _, combined] = data;
        Ok(Queues { now: rx + combined, most: most_rx + most_combined, combined: most_combined > 0 })
    }

    /// The device's features by name, and whether each is active.
    fn features(&self) -> io::Result<Vec<(String, bool)>> {
        // `struct ethtool_sset_info`: a mask of 64 bits at an offset of 8, then a count for each bit set.
        let mut count = [GSSET_INFO, 0, 1 << FEATURES, 0, 0];
        self.ask(&mut count)?;
        let count = count[4] as usize;
        let mut names = vec![0; 3 + count * STRING / 4];
        names[..3].copy_from_slice(&[GSTRINGS, FEATURES, count as u32]);
        self.ask(&mut names)?;
        let blocks = count.div_ceil(32);
        // `struct ethtool_get_features_block`: available, requested, active, never changed.
        let mut values = vec![0; 2 + 4 * blocks];
        values[..2].copy_from_slice(&[GFEATURES, blocks as u32]);
        self.ask(&mut values)?;
        let active = |bit: usize| values[2 + 4 * (bit / 32) + 2] >> (bit % 32) & 1 != 0;
        Ok(names[3..].chunks(STRING / 4).enumerate().map(|(bit, name)| (text(name), active(bit))).collect())
    }
}

/// The text at the beginning of some words.
fn text(words: &[u32]) -> String {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

// Generic netlink, from include/uapi/linux/genetlink.h and netdev.h.
const NETLINK_GENERIC: isize = 16;
const GENL_ID_CTRL: u16 = 16;
const CTRL_CMD_GETFAMILY: u8 = 3;
const CTRL_ATTR_FAMILY_ID: u16 = 1;
const CTRL_ATTR_FAMILY_NAME: u16 = 2;
const NETDEV_CMD_DEV_GET: u8 = 1;
const NETDEV_A_DEV_IFINDEX: u16 = 1;
const NETDEV_A_DEV_XDP_FEATURES: u16 = 3;
const XDP_BASIC: u64 = 1;
const XDP_RX_SG: u64 = 1 << 5;
const HEADERS: usize = 16 + 4;

fn xdp_ability(index: u32) -> io::Result<XdpAbility> {
    let family = generic(GENL_ID_CTRL, CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_NAME, b"netdev\0")?;
    let family =
        attribute(&family, CTRL_ATTR_FAMILY_ID).and_then(|id| Some(u16::from_ne_bytes(id.try_into().ok()?)));
    let family = family.ok_or(io::ErrorKind::Unsupported)?;
    let device = generic(family, NETDEV_CMD_DEV_GET, NETDEV_A_DEV_IFINDEX, &index.to_ne_bytes())?;
    let features = attribute(&device, NETDEV_A_DEV_XDP_FEATURES);
    let features = features.and_then(|bits| Some(u64::from_ne_bytes(bits.try_into().ok()?)));
    let features = features.ok_or(io::ErrorKind::InvalidData)?;
    Ok(XdpAbility { native: features & XDP_BASIC != 0, several_buffers: features & XDP_RX_SG != 0 })
}

/// The attributes with which a family answers a command that has one.
fn generic(family: u16, command: u8, attribute: u16, value: &[u8]) -> io::Result<Vec<u8>> {
    let padded = value.len().next_multiple_of(4);
    let length = HEADERS + 4 + padded;
    let mut message = Vec::with_capacity(length);
    message.extend((length as u32).to_ne_bytes());
    message.extend(family.to_ne_bytes());
    message.extend((libc::NLM_F_REQUEST as u16).to_ne_bytes());
    message.extend([0; 8]);
    message.extend([command, 1, 0, 0]);
    message.extend((4 + value.len() as u16).to_ne_bytes());
    message.extend(attribute.to_ne_bytes());
    message.extend(value);
    message.resize(length, 0);
    let mut socket = Socket::new(NETLINK_GENERIC)?;
    socket.bind_auto()?;
    socket.send(&message, 0)?;
    let (answer, _) = socket.recv_from_full()?;
    let kind = answer.get(4..6).map(|kind| u16::from_ne_bytes([kind[0], kind[1]]));
    if kind != Some(family) {
        return Err(io::ErrorKind::Unsupported.into());
    }
    Ok(answer.get(HEADERS..).unwrap_or_default().to_vec())
}

/// The value of an attribute among others.
fn attribute(mut attributes: &[u8], wanted: u16) -> Option<&[u8]> {
    while let [low, high, kind_low, kind_high, ..] = *attributes {
        let length = usize::from(u16::from_ne_bytes([low, high]));
        let value = attributes.get(4..length)?;
        // The two upper bits say how the value is to be read.
        if u16::from_ne_bytes([kind_low, kind_high]) & 0x3fff == wanted {
            return Some(value);
        }
        attributes = attributes.get(length.next_multiple_of(4)..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_tells_what_it_can() {
        let loopback = hardware("lo", 1);
        assert_eq!(loopback.lro, Some(false), "{loopback:?}");
        // Since 6.3 the kernel tells, and loopback runs no XDP of its own.
        if let Some(xdp) = loopback.xdp {
            assert!(!xdp.native, "{loopback:?}");
        }
        assert_eq!(hardware("no-such-device", 0), Hardware::default());
    }

    #[test]
    fn attributes_are_found_behind_others() {
        let bytes = [6, 0, 1, 0, 7, 7, 0, 0, 8, 0, 3, 0x40, 1, 2, 3, 4];
        assert_eq!(attribute(&bytes, 3), Some(&[1, 2, 3, 4][..]));
        assert_eq!(attribute(&bytes, 1), Some(&[7, 7][..]));
        assert_eq!(attribute(&bytes, 2), None);
        assert_eq!(attribute(&[9, 0, 1, 0], 1), None, "one that claims more than there is");
    }
}
