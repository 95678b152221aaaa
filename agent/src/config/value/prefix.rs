//! Addresses as the operator writes them: one address, a prefix, or a range.

use std::net::IpAddr;

use ipnet::IpNet;

use super::address::AddressRange;
use crate::config::text::diagnostics::Mistake;

/// What an address may be written as, for the remedies.
const FORMS: &str =
    "write an address like 10.1.1.20, a prefix like 10.20.0.0/16, or a range like 10.21.4.10-10.21.7.250";

/// Reads an address, a prefix or a range of either family.
///
/// # Errors
/// Where the text is none of them, or one that no packet can carry: loopback, IPv4 inside IPv6.
pub(crate) fn range(text: &str) -> Result<AddressRange, Mistake> {
    let range = match (text.split_once('/'), text.split_once('-')) {
        (Some((address, length)), _) if looks_like_address(address) => prefix(text, address, length)?,
        (None, Some((first, last))) if looks_like_address(first) => ends(text, first.trim(), last.trim())?,
        _ => AddressRange::single(address(text)?),
    };
    on_the_wire(text, range)
}

/// Reads what a machine or network can have as its own address: no multicast group, no broadcast address.
///
/// # Errors
/// As [`range`], and for groups.
pub(crate) fn unicast(text: &str) -> Result<AddressRange, Mistake> {
    let range = range(text)?;
    let (first, last) = range.ends();
    if first.is_multicast() && last.is_multicast() {
        return Err(Mistake::new(
            format!("{text} is a multicast group, no machine's own address"),
            "leave it out; the groups of a multicast deployment are its system's `multicast-groups`",
        ));
    }
    let nobody = |address: IpAddr| match address {
        IpAddr::V4(address) => address.is_broadcast() || address.is_unspecified(),
        IpAddr::V6(address) => address.is_unspecified(),
    };
    if first == last && nobody(first) {
        return Err(Mistake::new(
            format!("{text} is no machine's own address"),
            "leave it out, or write \"any\" for every address",
        ));
    }
    Ok(range)
}

/// Reads multicast groups.
///
/// # Errors
/// As [`range`], and for what is no group.
pub(crate) fn groups(text: &str) -> Result<AddressRange, Mistake> {
    let range = range(text)?;
    let (first, last) = range.ends();
    if !(first.is_multicast() && last.is_multicast()) {
        return Err(Mistake::new(
            format!("{text} is no multicast group"),
            "write groups within 224.0.0.0/4 or ff00::/8, like \"239.1.0.0/24\"",
        ));
    }
    Ok(range)
}

/// Reads one machine's address.
///
/// # Errors
/// As [`unicast`], and for prefixes and ranges.
pub(crate) fn machine(text: &str) -> Result<IpAddr, Mistake> {
    let (first, last) = unicast(text)?.ends();
    if first != last {
        return Err(Mistake::new(
            format!("{text} is more than one address"),
            format!("write one address, like {first}"),
        ));
    }
    Ok(first)
}

/// Whether a text was meant as an address rather than as a name: digits and dots, or colons.
pub(crate) fn looks_like_address(text: &str) -> bool {
    let text = text.trim();
    let numeric = text.contains('.') && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    numeric || text.contains(':')
}

/// Why a name is no address. Used wherever an address could stand.
pub(crate) fn dns_name(text: &str) -> Mistake {
    Mistake::new(
        format!(
            "\"{text}\" is a name, not an address: a firewall must not depend on names that somebody else answers"
        ),
        "write the addresses it has, like \"10.1.1.20\"",
    )
}

fn prefix(text: &str, address_text: &str, length: &str) -> Result<AddressRange, Mistake> {
    let address = address(address_text)?;
    let most: u8 = if address.is_ipv4() { 32 } else { 128 };
    let digits = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
    let Some(bits) = length.parse().ok().filter(|bits: &u8| digits && *bits <= most) else {
        let mask = length.parse().ok().and_then(|mask| ipnet::ip_mask_to_prefix(mask).ok());
        return Err(Mistake::new(
            format!("\"{text}\" is no prefix: its length must be a number from 0 to {most}"),
            match mask {
                Some(bits) => format!("write \"{address}/{bits}\""),
                None => format!("write \"{address}/{most}\" for the one address"),
            },
        ));
    };
    let net = IpNet::new_assert(address, bits);
    if net.network() != address {
        return Err(Mistake::new(
            format!("{text} has bits set beyond its {bits}-bit prefix"),
            format!("write \"{}\" for the network, or \"{address}\" for the one address", net.trunc()),
        ));
    }
    Ok(net.into())
}

fn ends(text: &str, first_text: &str, last_text: &str) -> Result<AddressRange, Mistake> {
    let first = address(first_text)?;
    if let (IpAddr::V4(first), Ok(octet)) = (first, last_text.parse::<u8>()) {
        let [a, b, c, _] = first.octets();
        return Err(Mistake::new(
            format!("the range {text} ends in a number, not in an address"),
            format!("write \"{first}-{a}.{b}.{c}.{octet}\""),
        ));
    }
    let last = address(last_text)?;
    if first > last && first.is_ipv4() == last.is_ipv4() {
        return Err(Mistake::new(
            format!("the range {text} ends before it starts"),
            format!("write \"{last}-{first}\""),
        ));
    }
    match (first, last) {
        (IpAddr::V4(first), IpAddr::V4(last)) => Ok(AddressRange::V4(first, last)),
        (IpAddr::V6(first), IpAddr::V6(last)) => Ok(AddressRange::V6(first, last)),
        _ => Err(Mistake::new(
            format!("the range {text} starts in one family and ends in the other"),
            "write one range for IPv4 and one for IPv6",
        )),
    }
}

fn address(text: &str) -> Result<IpAddr, Mistake> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    if let Some((bare, _)) = text.split_once('%') {
        return Err(Mistake::new(
            format!("\"{text}\" names an interface within an address"),
            format!("write \"{bare}\"; [[interface]] tables in cmgate.toml bind addresses to interfaces"),
        ));
    }
    if let Ok(socket) = text.parse::<std::net::SocketAddr>() {
        return Err(Mistake::new(format!("\"{text}\" has a port"), format!("write \"{}\"", socket.ip())));
    }
    if text.chars().any(char::is_alphabetic) && !text.contains(':') {
        return Err(dns_name(text));
    }
    Err(Mistake::new(format!("\"{text}\" is no address"), FORMS))
}

fn on_the_wire(text: &str, range: AddressRange) -> Result<AddressRange, Mistake> {
    let (first, last) = range.ends();
    if first.is_loopback() && last.is_loopback() {
        return Err(Mistake::new(
            format!("{text} is a loopback address: its traffic stays on `lo`, which is not judged"),
            "leave it out",
        ));
    }
    if let AddressRange::V6(first, last) = range
        && let (Some(v4), Some(_)) = (first.to_ipv4_mapped(), last.to_ipv4_mapped())
    {
        return Err(Mistake::new(
            format!("{text} is IPv4 inside IPv6, which is on no wire"),
            format!("write IPv4 addresses as such, like \"{v4}\""),
        ));
    }
    Ok(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_prefixes_and_ranges() {
        for text in
            ["10.1.1.20", "10.20.0.0/16", "10.21.4.10-10.21.7.250", "10.0.0.1 - 10.0.0.9", "0.0.0.0/0"]
        {
            assert!(range(text).is_ok(), "{text}");
        }
        for text in ["2001:db8::1", "2001:db8:20::/48", "2001:db8::-2001:db8::ff", "::/0"] {
            assert!(range(text).is_ok(), "{text}");
        }
        assert_eq!(machine("10.1.1.20/32"), Ok("10.1.1.20".parse().unwrap()));
    }

    #[test]
    fn mistakes_say_what_to_write() {
        let wrong = [
            "10.20.4.1/16",
            "2001:db8::1/48",
            "10.0.0.0/33",
            "10.0.0.0/255.255.0.0",
            "10.0.0.0/",
            "10.0.0.9-10.0.0.1",
            "10.0.0.1-50",
            "10.0.0.1-2001:db8::1",
            "10.01.1.1",
            "10.1.1",
            "10.1.1.256",
            "mp01.contoso.com",
            "mp01",
            "mp-01.contoso.com/24",
            "fe80::1%eth0",
            "10.1.1.5:3128",
            "[2001:db8::1]:80",
            "127.0.0.1",
            "127.0.0.0/8",
            "::1",
            "::ffff:10.1.1.1",
            "2001:db8::g",
            "",
        ];
        let told = wrong.map(|text| format!("{text:22} {}", range(text).expect_err(text)));
        insta::assert_snapshot!(told.join("\n"));
    }

    #[test]
    fn groups_and_machines_are_told_apart() {
        assert!(groups("239.1.0.0/24").is_ok() && groups("ff3e::/64").is_ok());
        let told = [
            groups("10.0.0.0/8").expect_err("unicast"),
            unicast("239.1.0.0/24").expect_err("a group"),
            unicast("255.255.255.255").expect_err("broadcast"),
            unicast("::").expect_err("unspecified"),
            machine("10.0.0.0/24").expect_err("a network"),
        ];
        insta::assert_snapshot!(told.map(|mistake| mistake.to_string()).join("\n"));
    }
}
