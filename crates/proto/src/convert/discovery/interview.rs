//! Interviews, their transcripts and highlights.

use chrono::TimeDelta;
use pbjson_types::Duration;
use waymark_domain::Violations;
use waymark_domain::discovery::{Highlight, Highlights, Interview, Span, Transcript, TranscriptSegment};

use super::part;
use crate::Choice as _;
use crate::convert::{meta, set_meta, time, timestamp, whole};
use crate::discovery::v1 as pb;

impl TryFrom<pb::Interview> for Interview {
    type Error = Violations;
    fn try_from(message: pb::Interview) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let v = &mut violations;
        let meta = meta(v, &message);
        let study = v.check("study", message.study.parse());
        let participant = v.check("participant", message.participant.parse());
        let conduct_time = time(v, "conduct_time", message.conduct_time);
        let segments = message.transcript.into_iter().enumerate().filter_map(|(i, s)| segment(v, i, s)).collect();
        let transcript = part(v, Transcript::new(segments));
        let highlights: Vec<Highlight> =
            message.highlights.into_iter().enumerate().filter_map(|(i, h)| highlight(v, i, h)).collect();
        let highlights = transcript.as_ref().and_then(|transcript| part(v, Highlights::new(highlights, transcript)));
        let interview = (|| {
            Some(Self {
                meta: meta?,
                study: study?,
                participant: participant?,
                conduct_time: conduct_time?,
                transcript: transcript?,
                highlights: highlights?,
            })
        })();
        whole(violations, interview)
    }
}

fn segment(violations: &mut Violations, index: usize, message: pb::TranscriptSegment) -> Option<TranscriptSegment> {
    let offset = message.offset.unwrap_or_default();
    let offset = u32::try_from(offset.nanos).ok().and_then(|nanos| TimeDelta::new(offset.seconds, nanos));
    if offset.is_none() {
        violations.add(format!("transcript[{index}].offset"), "must be a duration of zero or more");
    }
    Some(TranscriptSegment { speaker: message.speaker, offset: offset?, text: message.text })
}

fn highlight(violations: &mut Violations, index: usize, message: pb::Highlight) -> Option<Highlight> {
    let sentiment = message.sentiment().domain();
    let id = violations.check(&format!("highlights[{index}].id"), message.id.parse());
    let span = message.span.and_then(|span| {
        let position = |n: i32| usize::try_from(n).ok();
        Some(Span { segment: position(span.segment)?, start: position(span.start)?, end: position(span.end)? })
    });
    if span.is_none() {
        violations.add(
            format!("highlights[{index}].span"),
            "must be set, with a segment, a start and an end that are not negative",
        );
    }
    Some(Highlight { id: id?, quote: message.quote, span: span?, tags: message.tags, sentiment })
}

impl From<&Highlight> for pb::Highlight {
    fn from(highlight: &Highlight) -> Self {
        // A span lies within a transcript of at most 2^20 bytes and 10,000 segments.
        let Span { segment, start, end } = highlight.span;
        Self {
            id: highlight.id.to_string(),
            quote: highlight.quote.clone(),
            span: Some(pb::Span { segment: segment as i32, start: start as i32, end: end as i32 }),
            tags: highlight.tags.clone(),
            sentiment: pb::Sentiment::of_any(highlight.sentiment),
        }
    }
}

impl From<&Interview> for pb::Interview {
    fn from(interview: &Interview) -> Self {
        let segment = |s: &TranscriptSegment| pb::TranscriptSegment {
            speaker: s.speaker.clone(),
            offset: Some(Duration { seconds: s.offset.num_seconds(), nanos: s.offset.subsec_nanos() }),
            text: s.text.clone(),
        };
        let mut message = Self {
            study: interview.study.to_string(),
            participant: interview.participant.to_string(),
            conduct_time: Some(timestamp(interview.conduct_time)),
            transcript: interview.transcript.segments().iter().map(segment).collect(),
            highlights: interview.highlights.as_slice().iter().map(pb::Highlight::from).collect(),
            ..Self::default()
        };
        set_meta(&mut message, &interview.meta);
        message
    }
}
