using AsrPlatform.Abstractions.Captions;
using AsrPlatform.Whisper.Tokens;

namespace AsrPlatform.Host.Transcripts;

/// <summary>Puts the short segments of live captions together again.</summary>
/// <remarks>A segment that starts at the sample where the one before it ends goes on with the same utterance.</remarks>
internal static class CaptionJoin
{
    /// <summary>Two lines of a subtitle: 42 characters each.</summary>
    private const int CueCharacters = 84;

    private const double CueSeconds = 7;

    /// <summary>The text of each utterance.</summary>
    /// <param name="captions">In the order of time.</param>
    public static IEnumerable<string> Utterances(IEnumerable<CaptionUpdate> captions) =>
        Join(captions, 1, static (_, _) => true).Select(cue => cue.Text);

    /// <summary>Subtitles no longer than two lines and seven seconds where segments allow it, none over a pause.</summary>
    /// <param name="captions">In the order of time.</param>
    /// <param name="sampleRateHz">The session's.</param>
    public static IEnumerable<SubtitleCue> Cues(IEnumerable<CaptionUpdate> captions, int sampleRateHz) => Join(
        captions,
        sampleRateHz,
        static (cue, next) => cue.Text.Length + 1 + next.Text.Length <= CueCharacters && next.End - cue.Start <= CueSeconds);

    /// <summary>What stands between the text before a caption and the caption's: a space, where its language writes any.</summary>
    public static string Separator(CaptionUpdate caption) => Separator(caption.Language);

    /// <inheritdoc cref="Separator(CaptionUpdate)"/>
    /// <param name="language">The caption's; null: one that writes spaces.</param>
    public static string Separator(string? language) => WhisperTokenizer.WritesSpaces(language ?? "en") ? " " : "";

    private static IEnumerable<SubtitleCue> Join(IEnumerable<CaptionUpdate> captions, int sampleRateHz, Func<SubtitleCue, SubtitleCue, bool> fits)
    {
        SubtitleCue? open = null;
        long end = -1;
        foreach (var caption in captions.Where(caption => caption.Text.Length > 0))
        {
            var next = new SubtitleCue(caption.StartSample / (double)sampleRateHz, caption.EndSample / (double)sampleRateHz, caption.Text);
            if (open is { } cue && caption.StartSample == end && fits(cue, next))
            {
                open = new SubtitleCue(cue.Start, next.End, cue.Text + Separator(caption) + next.Text);
            }
            else
            {
                if (open is { } done)
                {
                    yield return done;
                }

                open = next;
            }

            end = caption.EndSample;
        }

        if (open is { } last)
        {
            yield return last;
        }
    }
}
