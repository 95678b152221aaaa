//! Bytes as hexadecimal digits, in JSON.

/// Two digits a byte.
#[must_use]
pub fn text(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes of such a text; `None` where it is none.
#[must_use]
pub fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    Some(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_and_other_text_is_none() {
        let every: Vec<u8> = (0..=u8::MAX).collect();
        assert_eq!(bytes(&text(&every)), Some(every));
        assert_eq!([bytes("0"), bytes("0g"), bytes("\u{e9}\u{e9}")], [None, None, None]);
    }
}
