using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Captions;
using AsrPlatform.Abstractions.Corrections;

namespace AsrPlatform.Host.Live;

/// <summary>Which corrections are taken, and what they show.</summary>
internal static class CorrectionRules
{
    private const int LongestId = 128;

    /// <summary>Longest author, speaker or domain.</summary>
    public const int LongestName = 200;

    /// <summary>Longest text of a correction, in characters; a window of 30 s holds some 600.</summary>
    public const int LongestText = 4000;

    /// <summary>Checks what can be checked without the session.</summary>
    /// <exception cref="AsrException">The correction is malformed.</exception>
    public static void Require(Correction correction)
    {
        if (string.IsNullOrWhiteSpace(correction.Id) || correction.Id.Length > LongestId)
        {
            throw new AsrException($"a correction needs an id of 1 to {LongestId} characters");
        }

        if (correction.Text is null || correction.Text.Length > LongestText)
        {
            throw new AsrException($"a correction needs a text of at most {LongestText} characters");
        }

        foreach (var (what, value) in (ReadOnlySpan<(string, string?)>)[("author", correction.Author), ("speaker", correction.Speaker), ("domain", correction.Domain)])
        {
            if (value is { Length: > LongestName })
            {
                throw new AsrException($"a correction's {what} has at most {LongestName} characters");
            }
        }
    }

    /// <summary>The update that shows a correction; sequence and revision are for whoever publishes it.</summary>
    /// <param name="correction">The correction.</param>
    /// <param name="caption">The newest update of its segment; null when there is none.</param>
    /// <param name="lastSequence">The session's newest sequence.</param>
    /// <param name="corrections">Corrections that the session has.</param>
    /// <param name="maximum">Corrections that it may have.</param>
    /// <exception cref="AsrException">The segment is not there or not yet committed, the sequence is none of the session, or there are too many.</exception>
    public static CaptionUpdate Apply(Correction correction, CaptionUpdate? caption, long lastSequence, int corrections, int maximum)
    {
        if (corrections >= maximum)
        {
            throw new AsrException($"session '{correction.SessionId}' has {corrections} corrections, the most that Live:MaximumCorrections allows");
        }

        if (caption is null)
        {
            throw new AsrException($"session '{correction.SessionId}' has no segment {correction.SegmentId}");
        }

        if (caption.State == CaptionState.Tentative)
        {
            throw new AsrException($"segment {correction.SegmentId} is still tentative: correct it once it is committed");
        }

        if (correction.Sequence < 1 || correction.Sequence > lastSequence)
        {
            throw new AsrException($"sequence {correction.Sequence} is none of session '{correction.SessionId}'");
        }

        // The words' times and confidences were those of the old text.
        return caption with { State = CaptionState.Corrected, Text = correction.Text.Trim(), Words = [] };
    }
}
