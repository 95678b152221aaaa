//! One question to the kernel over netlink, and all of its answer, without a task that runs beside.

use std::fmt::Debug;

use anyhow::{Context as _, Result, bail};
use rtnetlink::packet_core::{
    NLM_F_REQUEST, NetlinkDeserializable, NetlinkHeader, NetlinkMessage, NetlinkPayload, NetlinkSerializable,
};
use rtnetlink::sys::{Socket, SocketAddr};

/// Messages start at multiples of so many bytes (netlink(7)).
const ALIGNMENT: usize = 4;

/// Sends `message` with `flags` (`NLM_F_DUMP` asks for everything there is) and gives what the kernel answers.
pub(super) fn ask<M>(protocol: isize, message: M, flags: u16) -> Result<Vec<M>>
where
    M: NetlinkSerializable + NetlinkDeserializable + Debug,
{
    let mut socket = Socket::new(protocol).context("cannot open a netlink socket")?;
    socket.bind_auto().context("cannot open a netlink socket")?;
    socket.connect(&SocketAddr::new(0, 0)).context("cannot reach the kernel by netlink")?;
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | flags;
    let mut question = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(message));
    question.finalize();
    let mut bytes = vec![0; question.buffer_len()];
    question.serialize(&mut bytes);
    socket.send(&bytes, 0).context("the kernel takes no question by netlink")?;
    let everything = flags != 0;
    let mut answers = Vec::new();
    loop {
        let (bytes, _) = socket.recv_from_full().context("the kernel does not answer by netlink")?;
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let answer =
                NetlinkMessage::<M>::deserialize(rest).context("the kernel answers what means nothing")?;
            let length = (answer.header.length as usize).next_multiple_of(ALIGNMENT);
            match answer.payload {
                NetlinkPayload::InnerMessage(message) => answers.push(message),
                NetlinkPayload::Done(_) => return Ok(answers),
                NetlinkPayload::Error(error) if error.code.is_some() => {
                    return Err(error.to_io()).context("the kernel refuses to answer by netlink");
                }
                NetlinkPayload::Overrun(_) => bail!("the kernel's answer by netlink is lost in part"),
                _ => {}
            }
            rest = rest.get(length.max(1)..).unwrap_or_default();
        }
        if !everything {
            return Ok(answers);
        }
    }
}
