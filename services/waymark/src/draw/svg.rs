//! Texts in SVG.

/// A text as XML has it.
pub fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    // XML 1.0 has no other control characters.
    text.chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_no_markup() {
        assert_eq!(escaped("R&D <\"x\">\u{7}\n"), "R&amp;D &lt;&quot;x&quot;&gt;");
    }
}
