//! What the site says of a packet: questions to `cmgate explain --batch`, and its answers.

use std::{
    io::Write,
    net::IpAddr,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

/// One packet, as `explain` takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Who sends it.
    pub source: IpAddr,
    /// To whom.
    pub destination: IpAddr,
    /// `tcp`, `udp` or `icmp`.
    pub protocol: &'static str,
    /// A port number, or for ICMP a name such as `echo-request`.
    pub port: String,
}

/// What the site says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Whether it is admitted.
    pub admit: bool,
    /// Why: `policy`, `allow`, ..., or a drop's reason.
    pub reason: String,
    /// The flow that admits it, where one does.
    pub flow: Option<String>,
    /// The generation asked; none where the answer came from the files alone.
    pub generation: Option<u64>,
}

impl Question {
    fn json(&self) -> Value {
        // A port that is a number goes as one; the names of ICMP's messages go as text.
        let port = self.port.parse::<u16>().map_or_else(|_| json!(self.port), |port| json!(port));
        json!({"source": self.source, "destination": self.destination, "protocol": self.protocol, "port": port})
    }
}

impl Answer {
    fn parse(line: &str) -> Result<Self> {
        let value: Value = serde_json::from_str(line).with_context(|| format!("no JSON: {line}"))?;
        let text = |key: &str| value[key].as_str().map(str::to_owned);
        let admit = match value["verdict"].as_str() {
            Some("admit") => true,
            Some("drop") => false,
            _ => bail!("no verdict in {line}"),
        };
        let reason = text("reason").with_context(|| format!("no reason in {line}"))?;
        Ok(Self { admit, reason, flow: text("flow"), generation: value["generation"].as_u64() })
    }

    /// For people: the flow that admits, or why not.
    pub fn words(&self) -> String {
        match (&self.flow, self.admit) {
            (Some(flow), true) => format!("admit: {flow}"),
            (None, true) => format!("admit: {}", self.reason),
            (_, false) => format!("drop: {}", self.reason),
        }
    }
}

/// Asks all of `questions` in one run of `command`, which is `cmgate explain --batch`.
///
/// # Errors
/// When it fails, or does not answer each.
pub fn ask(mut command: Command, questions: &[Question]) -> Result<Vec<Answer>> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot run cmgate explain")?;
    let lines: String = questions.iter().map(|question| format!("{}\n", question.json())).collect();
    let mut input = child.stdin.take().context("explain has no standard input")?;
    // Written beside the reading: a long batch would fill both pipes.
    let (output, written) = std::thread::scope(|scope| {
        let writer = scope.spawn(move || input.write_all(lines.as_bytes()));
        (child.wait_with_output(), writer.join())
    });
    let output = output?;
    ensure!(output.status.success(), "cmgate explain: {}", String::from_utf8_lossy(&output.stderr).trim());
    written
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        .context("cannot write to cmgate explain")?;
    let said = String::from_utf8(output.stdout).context("explain's answers are no UTF-8")?;
    let answers: Vec<Answer> = said.lines().map(Answer::parse).collect::<Result<_>>()?;
    ensure!(answers.len() == questions.len(), "{} answers to {} questions", answers.len(), questions.len());
    Ok(answers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_goes_in_and_comes_out_line_by_line() -> Result<()> {
        let question = Question {
            source: [10, 20, 0, 10].into(),
            destination: [10, 1, 1, 20].into(),
            protocol: "tcp",
            port: "443".to_owned(),
        };
        let mut echo = Command::new("sed");
        echo.arg(r#"s/^{/{"verdict":"drop","reason":"service","flow":null,"generation":3,/"#);
        let answers = ask(echo, &[question.clone(), question])?;
        assert_eq!(answers.len(), 2);
        assert_eq!(answers[1].words(), "drop: service");
        assert_eq!(answers[1].generation, Some(3));
        Ok(())
    }

    #[test]
    fn an_answer_without_a_verdict_is_an_error() {
        assert!(Answer::parse(r#"{"verdict":"maybe","reason":"x"}"#).is_err());
        assert!(Answer::parse(r#"{"verdict":"admit"}"#).is_err());
        assert!(Answer::parse("admit").is_err());
    }
}
