//! Interviews: what one participant said in one session, and the passages that matter.
//!
//! A highlight quotes its transcript word for word: a quote that does not stand at its span cannot be made.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use strum::{EnumString, IntoStaticStr, VariantNames};

use super::participant::Participant;
use super::reference::ReferenceError;
use super::study::Study;
use crate::{Change, Failure, FailureKind, Meta, Name, Reason, Resource, ResourceId, Violation, Violations};

/// Bytes of speakers and text in a transcript, at most.
pub const TRANSCRIPT_BYTES: usize = 1 << 20;

/// A session of a study with one participant.
#[derive(Debug, Clone, PartialEq)]
pub struct Interview {
    /// Standard fields.
    pub meta: Meta<Self>,
    /// The study it belongs to.
    pub study: Name<Study>,
    /// Who was interviewed.
    pub participant: Name<Participant>,
    /// When it took place.
    pub conduct_time: DateTime<Utc>,
    /// What was said.
    pub transcript: Transcript,
    /// What matters in it.
    pub highlights: Highlights,
}

/// The turns of a conversation, in order of time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Transcript(Vec<TranscriptSegment>);

/// One turn of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TranscriptSegment {
    /// Who speaks.
    pub speaker: String,
    /// Time since the start of the session.
    pub offset: TimeDelta,
    /// What is said.
    pub text: String,
}

/// The highlights of one transcript.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Highlights(Vec<Highlight>);

/// A passage that matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Highlight {
    /// Id within the interview.
    pub id: ResourceId,
    /// The passage word for word.
    pub quote: String,
    /// Where it stands.
    pub span: Span,
    /// What it is about.
    pub tags: Vec<String>,
    /// How the speaker feels about it, when somebody judged.
    pub sentiment: Option<Sentiment>,
}

/// A part of one segment's text, in Unicode scalar values; `end` is the one after the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the type's comment says all")]
pub struct Span {
    pub segment: usize,
    pub start: usize,
    pub end: usize,
}

/// How a speaker feels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Sentiment {
    Negative,
    Neutral,
    Positive,
    Mixed,
}

/// What happens to interviews.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[expect(missing_docs, reason = "the variants are the verbs of the contract's events")]
pub enum InterviewEvent {
    Created,
    Updated,
    Deleted,
    Undeleted,
}

super::resource!(Interview, InterviewEvent, "interviews");

impl Transcript {
    /// A transcript in order of time, within the size limit.
    pub fn new(segments: Vec<TranscriptSegment>) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let bytes: usize = segments.iter().map(|s| s.speaker.len() + s.text.len()).sum();
        if bytes > TRANSCRIPT_BYTES {
            violations.add(
                "transcript",
                format!("has {bytes} bytes of text, at most {TRANSCRIPT_BYTES} are allowed; split the interview"),
            );
        }
        let mut before = TimeDelta::zero();
        for (index, segment) in segments.iter().enumerate() {
            if segment.offset < before {
                violations
                    .add(format!("transcript[{index}].offset"), "must not be negative or before the segment above");
            }
            before = before.max(segment.offset);
        }
        violations.into_result()?;
        Ok(Self(segments))
    }

    /// The turns.
    pub fn segments(&self) -> &[TranscriptSegment] {
        &self.0
    }

    /// The text at a span, or why there is none.
    pub fn passage(&self, span: Span) -> Result<&str, String> {
        let Span { segment, start, end } = span;
        let text = match self.0.get(segment) {
            Some(segment) => segment.text.as_str(),
            None => return Err(format!("there is no segment {segment}: the transcript has {}", self.0.len())),
        };
        // Byte positions of the characters' edges: the n-th edge stands before the n-th character.
        let mut edges = text.char_indices().map(|(byte, _)| byte).chain([text.len()]);
        let first = edges.nth(start);
        let last = end.checked_sub(start + 1).and_then(|between| edges.nth(between));
        if let (Some(first), Some(last)) = (first, last) {
            return Ok(&text[first..last]);
        }
        let length = text.chars().count();
        Err(format!("needs 0 <= start < end <= {length}, the characters of segment {segment}; got {start} and {end}"))
    }
}

impl Highlights {
    /// Highlights with distinct ids, each quoting the transcript word for word.
    pub fn new(highlights: Vec<Highlight>, transcript: &Transcript) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let mut ids = BTreeSet::new();
        for (index, highlight) in highlights.iter().enumerate() {
            if !ids.insert(&highlight.id) {
                violations.add(
                    format!("highlights[{index}].id"),
                    format!("{} is taken by another highlight of the interview", highlight.id),
                );
            }
            match transcript.passage(highlight.span) {
                Err(problem) => violations.add(format!("highlights[{index}].span"), problem),
                Ok(passage) if passage != highlight.quote => {
                    let passage: String = passage.chars().take(200).collect();
                    violations.add(
                        format!("highlights[{index}].quote"),
                        format!("must be the text at the span word for word, which is {passage:?}"),
                    );
                }
                Ok(_) => {}
            }
        }
        violations.into_result()?;
        Ok(Self(highlights))
    }

    /// The highlights in the caller's order.
    pub fn as_slice(&self) -> &[Highlight] {
        &self.0
    }

    /// The highlight of an id.
    pub fn get(&self, id: &ResourceId) -> Option<&Highlight> {
        self.0.iter().find(|h| h.id == *id)
    }
}

/// Why an interview cannot be kept as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InterviewError {
    /// A reference does not hold.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// The participant's consent had ended.
    #[error(
        "the consent of {participant} expired at {expire_time}, before the interview was conducted at {conduct_time}; renew the consent or correct the times"
    )]
    ConsentExpired {
        /// The participant.
        participant: String,
        /// When the consent ended.
        expire_time: DateTime<Utc>,
        /// When the interview was conducted.
        conduct_time: DateTime<Utc>,
    },
}

impl Failure for InterviewError {
    fn kind(&self) -> FailureKind {
        FailureKind::Refused
    }
    fn reason(&self) -> Reason {
        match self {
            Self::Reference(error) => error.reason(),
            Self::ConsentExpired { .. } => Reason::RuleViolated,
        }
    }
    fn metadata(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Reference(error) => error.metadata(),
            Self::ConsentExpired { participant, .. } => {
                vec![("rule", "consent".to_owned()), ("resource", participant.clone())]
            }
        }
    }
    fn violations(&self) -> Vec<Violation> {
        match self {
            Self::Reference(error) => error.violations(),
            Self::ConsentExpired { participant, .. } => {
                vec![Violation { field: participant.clone(), description: self.to_string() }]
            }
        }
    }
}

impl Interview {
    /// Records the interview, given the study and the participant it names, as far as they exist.
    pub fn record(
        self,
        study: Option<&Study>,
        participant: Option<&Participant>,
        event: InterviewEvent,
    ) -> Result<Change<Self>, InterviewError> {
        if study.is_none() {
            return Err(ReferenceError::Missing { field: "study", resource: self.study.to_string() }.into());
        }
        let Some(participant) = participant else {
            return Err(ReferenceError::Missing { field: "participant", resource: self.participant.to_string() }.into());
        };
        match &participant.consent {
            Some(consent) if consent.is_over(self.conduct_time) => Err(InterviewError::ConsentExpired {
                participant: participant.meta.name.to_string(),
                expire_time: consent.expire_time().unwrap_or(self.conduct_time),
                conduct_time: self.conduct_time,
            }),
            _ => Ok(Change::new(self, event)),
        }
    }

    /// Whether it supports what cites it just as `other` does: strength is made from who spoke and when, not from what
    /// was said.
    pub fn supports_as(&self, other: &Self) -> bool {
        self.participant == other.participant && self.conduct_time == other.conduct_time
    }

    /// Refuses to lose a highlight that something cites: `cited` are highlight ids with who cites them.
    pub fn check_cited<'a, R: Resource>(
        &self,
        cited: impl IntoIterator<Item = (&'a ResourceId, &'a Name<R>)>,
    ) -> Result<(), InterviewError> {
        match cited.into_iter().find(|(id, _)| self.highlights.get(id).is_none()) {
            Some((id, by)) => {
                let resource = format!("{} highlight {id}", self.meta.name);
                Err(ReferenceError::InUse { resource, referrer: by.to_string() }.into())
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn segment(seconds: i64, text: &str) -> TranscriptSegment {
        TranscriptSegment { speaker: "ada".into(), offset: TimeDelta::seconds(seconds), text: text.into() }
    }

    fn highlight(quote: &str, start: usize, end: usize) -> Highlight {
        Highlight {
            id: "h1".parse().unwrap(),
            quote: quote.into(),
            span: Span { segment: 0, start, end },
            tags: vec![],
            sentiment: None,
        }
    }

    #[test]
    fn a_quote_must_stand_at_its_span() {
        let transcript = Transcript::new(vec![segment(0, "I löse the invites")]).unwrap();
        assert!(Highlights::new(vec![highlight("löse", 2, 6)], &transcript).is_ok());
        let wrong = Highlights::new(vec![highlight("lose", 2, 6)], &transcript).unwrap_err().into_vec();
        assert_eq!(wrong[0].field, "highlights[0].quote");
        assert!(wrong[0].description.contains("löse"), "{}", wrong[0].description);
        for (start, end) in [(6, 6), (7, 6), (17, 19), (40, 41), (0, usize::MAX)] {
            let wrong = Highlights::new(vec![highlight("x", start, end)], &transcript).unwrap_err().into_vec();
            assert_eq!(wrong[0].field, "highlights[0].span", "{start}..{end}");
        }
    }

    #[test]
    fn ids_are_distinct_and_time_goes_forward() {
        let transcript = Transcript::new(vec![segment(0, "abc")]).unwrap();
        let twice =
            Highlights::new(vec![highlight("a", 0, 1), highlight("b", 1, 2)], &transcript).unwrap_err().into_vec();
        assert_eq!(twice[0].field, "highlights[1].id");
        assert_eq!(
            Transcript::new(vec![segment(5, "a"), segment(4, "b")]).unwrap_err().into_vec()[0].field,
            "transcript[1].offset"
        );
        assert!(Transcript::new(vec![segment(-1, "a")]).is_err());
    }

    #[test]
    fn a_transcript_has_a_size_limit() {
        let text = "x".repeat(TRANSCRIPT_BYTES - 3);
        assert!(Transcript::new(vec![segment(0, &text)]).is_ok());
        assert!(Transcript::new(vec![segment(0, &text), segment(0, "y")]).is_err());
    }

    proptest! {
        #[test]
        fn every_passage_can_be_highlighted(text in "\\PC*[a-zé漢😀]\\PC*", a in 0usize..40, b in 0usize..40) {
            let length = text.chars().count();
            let (start, end) = (a.min(b) % length, (a.max(b) % length) + 1);
            prop_assume!(start < end && !text.trim().is_empty());
            let quote: String = text.chars().skip(start).take(end - start).collect();
            let transcript = Transcript::new(vec![segment(0, &text)]).unwrap();
            prop_assert_eq!(transcript.passage(Span { segment: 0, start, end }), Ok(quote.as_str()));
        }
    }
}
