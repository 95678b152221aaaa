//! A question: who sends what to whom.

use std::net::IpAddr;

use serde_json::Value;

use crate::config::{Mistake, Service, Transport};

/// One packet asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Who sends it.
    pub source: IpAddr,
    /// To whom.
    pub destination: IpAddr,
    /// `tcp`, `udp`, `icmp` or `ip`.
    pub protocol: String,
    /// The port, `type/code` or protocol, as it was asked: a number stays one in the answer.
    pub port: Value,
    /// What that means in this packet's family.
    pub asked: Asked,
    /// The port it comes from, where that was asked.
    pub source_port: Option<u16>,
    /// The interface it comes in on, where that was asked.
    pub interface: Option<String>,
}

/// What a packet is addressed to at its destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// TCP, to a port.
    Tcp(u16),
    /// UDP, to a port.
    Udp(u16),
    /// ICMP of the packet's family.
    Icmp {
        /// The type.
        kind: u8,
        /// The code; 0 where the question has none.
        code: u8,
    },
    /// Another IP protocol.
    Ip(u8),
}

impl Question {
    /// Of addresses and a service as the operator writes it: `10.20.3.4 10.1.1.20 tcp/443`.
    ///
    /// # Errors
    /// Where an address is none, or the service is none or several.
    pub fn new(source: &str, destination: &str, service: &str) -> Result<Self, Mistake> {
        let (protocol, port) = service.split_once('/').unwrap_or((service, ""));
        let port = port.parse::<u16>().map_or_else(|_| Value::from(port), Value::from);
        Self::of(address(source)?, address(destination)?, protocol, port, service)
    }

    /// Of a line of `--batch`: `{"source", "destination", "protocol", "port", "source_port"?, "interface"?}`.
    ///
    /// # Errors
    /// Where the line is no such object, or a value in it means nothing.
    pub fn from_json(line: &str) -> Result<Self, Mistake> {
        const FIELDS: [&str; 6] = ["source", "destination", "protocol", "port", "source_port", "interface"];
        let shape = "write {\"source\": \"10.20.3.4\", \"destination\": \"10.1.1.20\", \"protocol\": \"tcp\", \
                     \"port\": 443}";
        let value: Value = serde_json::from_str(line)
            .map_err(|error| Mistake::new(format!("the line is no JSON: {error}"), shape))?;
        let Value::Object(fields) = value else {
            return Err(Mistake::new("the line is no JSON object", shape));
        };
        if let Some(unknown) = fields.keys().find(|key| !FIELDS.contains(&key.as_str())) {
            let known = format!("the fields are {}", FIELDS.join(", "));
            return Err(Mistake::new(format!("unknown field \"{unknown}\""), known));
        }
        let text = |name: &str| match fields.get(name) {
            Some(Value::String(text)) => Ok(text.as_str()),
            _ => Err(Mistake::new(format!("\"{name}\" is not there, or no text"), shape)),
        };
        let port = fields.get("port").cloned().unwrap_or(Value::Null);
        let written = match &port {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => return Err(Mistake::new("\"port\" is not there, or neither number nor text", shape)),
        };
        let protocol = text("protocol")?;
        let mut question = Self::of(
            address(text("source")?)?,
            address(text("destination")?)?,
            protocol,
            port,
            &format!("{protocol}/{written}"),
        )?;
        question.source_port = match fields.get("source_port") {
            None | Some(Value::Null) => None,
            Some(value) => {
                Some(value.as_u64().and_then(|port| u16::try_from(port).ok()).ok_or_else(|| {
                    Mistake::new("\"source_port\" is no port", "write a number from 0 to 65535")
                })?)
            }
        };
        question.interface = match fields.get("interface") {
            None | Some(Value::Null) => None,
            Some(_) => Some(text("interface")?.to_owned()),
        };
        Ok(question)
    }

    /// The line of `--batch` that asks the same.
    #[must_use]
    pub fn line(&self) -> String {
        let mut fields = serde_json::json!({
            "source": self.source, "destination": self.destination, "protocol": self.protocol, "port": self.port,
        });
        if let Some(port) = self.source_port {
            fields["source_port"] = port.into();
        }
        if let Some(interface) = &self.interface {
            fields["interface"] = interface.as_str().into();
        }
        fields.to_string()
    }

    fn of(
        source: IpAddr,
        destination: IpAddr,
        protocol: &str,
        port: Value,
        service: &str,
    ) -> Result<Self, Mistake> {
        if source.is_ipv4() != destination.is_ipv4() {
            return Err(Mistake::new(
                format!("{source} and {destination} are of different families"),
                "write two IPv4 or two IPv6 addresses",
            ));
        }
        let asked = asked(service, source.is_ipv4())?;
        let protocol = protocol.to_owned();
        Ok(Self { source, destination, protocol, port, asked, source_port: None, interface: None })
    }
}

fn address(text: &str) -> Result<IpAddr, Mistake> {
    text.parse().map_err(|_| {
        let instead =
            "write an IPv4 or IPv6 address; names are not looked up, since somebody else answers them";
        Mistake::new(format!("\"{text}\" is no address"), instead)
    })
}

fn asked(service: &str, v4: bool) -> Result<Asked, Mistake> {
    match Service::parse(service)? {
        Service::Transport { transport, first, last } if first == last => Ok(match transport {
            Transport::Tcp => Asked::Tcp(first),
            Transport::Udp => Asked::Udp(first),
        }),
        Service::Transport { first, last, .. } => Err(Mistake::new(
            format!(
                "{service} is {} ports, and a packet goes to one",
                u32::from(last) - u32::from(first) + 1
            ),
            format!("write {}{first}", service.split_inclusive('/').next().unwrap_or_default()),
        )),
        Service::Icmp(icmp) => {
            let message = if v4 { icmp.v4 } else { icmp.v6 };
            let family = if v4 { "IPv4" } else { "IPv6" };
            message
                .map(|message| Asked::Icmp { kind: message.kind, code: message.code.unwrap_or(0) })
                .ok_or_else(|| {
                    let instead = "write a message that this family has, or type/code";
                    Mistake::new(format!("{service} does not exist over {family}"), instead)
                })
        }
        Service::Ip(number) => Ok(Asked::Ip(number)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_of_asking_mean_the_same() {
        for (service, json, asked) in [
            ("tcp/443", r#""protocol":"tcp","port":443"#, Asked::Tcp(443)),
            ("udp/67", r#""protocol":"udp","port":67"#, Asked::Udp(67)),
            (
                "icmp/echo-request",
                r#""protocol":"icmp","port":"echo-request""#,
                Asked::Icmp { kind: 8, code: 0 },
            ),
            ("icmp/3/4", r#""protocol":"icmp","port":"3/4""#, Asked::Icmp { kind: 3, code: 4 }),
            ("ip/vrrp", r#""protocol":"ip","port":"vrrp""#, Asked::Ip(112)),
        ] {
            let written = Question::new("10.20.3.4", "10.1.1.20", service).unwrap();
            let line = format!(r#"{{"source":"10.20.3.4","destination":"10.1.1.20",{json}}}"#);
            assert_eq!(Question::from_json(&line).unwrap(), written, "{service}");
            assert_eq!(written.asked, asked);
        }
        let v6 = Question::new("2001:db8::1", "2001:db8::2", "icmp/echo-request").unwrap();
        assert_eq!(v6.asked, Asked::Icmp { kind: 128, code: 0 });
    }

    #[test]
    fn what_cannot_be_asked_is_said() {
        let errors = [
            Question::new("mp01", "10.1.1.20", "tcp/443"),
            Question::new("10.20.3.4", "2001:db8::1", "tcp/443"),
            Question::new("10.20.3.4", "10.1.1.20", "tcp/80-81"),
            Question::new("10.20.3.4", "10.1.1.20", "icmp/neighbour-solicitation"),
            Question::from_json("443"),
            Question::from_json(r#"{"source":"10.0.0.1","sorce_port":1}"#),
            Question::from_json(r#"{"source":"10.0.0.1","destination":"10.0.0.2","protocol":"tcp"}"#),
        ];
        let said: Vec<_> = errors.into_iter().map(|error| error.unwrap_err().to_string()).collect();
        insta::assert_snapshot!(said.join("\n"), @r#"
        "mp01" is no address (write an IPv4 or IPv6 address; names are not looked up, since somebody else answers them)
        10.20.3.4 and 2001:db8::1 are of different families (write two IPv4 or two IPv6 addresses)
        tcp/80-81 is 2 ports, and a packet goes to one (write tcp/80)
        icmp/neighbour-solicitation does not exist over IPv4 (write a message that this family has, or type/code)
        the line is no JSON object (write {"source": "10.20.3.4", "destination": "10.1.1.20", "protocol": "tcp", "port": 443})
        unknown field "sorce_port" (the fields are source, destination, protocol, port, source_port, interface)
        "port" is not there, or neither number nor text (write {"source": "10.20.3.4", "destination": "10.1.1.20", "protocol": "tcp", "port": 443})
        "#);
    }
}
