//! A tree of texts with its lines.

/// A text and what stands below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    /// The text; further lines stand below the first.
    pub text: String,
    /// What stands below.
    pub children: Vec<Branch>,
}

impl Branch {
    /// A text with nothing below it.
    pub fn leaf(text: impl Into<String>) -> Self {
        Self { text: text.into(), children: Vec::new() }
    }

    /// The drawing.
    pub fn draw(&self) -> String {
        let mut lines = Vec::new();
        self.lines("", "", &mut lines);
        lines.join("\n")
    }

    fn lines(&self, first: &str, rest: &str, lines: &mut Vec<String>) {
        let below = if self.children.is_empty() { " " } else { "│" };
        for (index, line) in self.text.lines().enumerate() {
            lines.push(if index == 0 { format!("{first}{line}") } else { format!("{rest}{below}  {line}") });
        }
        for (index, child) in self.children.iter().enumerate() {
            let (branch, trunk) =
                if index + 1 == self.children.len() { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            child.lines(&format!("{rest}{branch}"), &format!("{rest}{trunk}"), lines);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_join_what_belongs_together() {
        let b = Branch { text: "b\nmore of b".into(), children: vec![Branch::leaf("c")] };
        let tree = Branch { text: "a".into(), children: vec![b, Branch::leaf("d\nmore of d")] };
        assert_eq!(tree.draw(), "a\n├─ b\n│  │  more of b\n│  └─ c\n└─ d\n      more of d");
    }
}
