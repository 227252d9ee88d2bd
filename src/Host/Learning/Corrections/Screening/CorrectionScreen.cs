using System.Globalization;
using AsrPlatform.Abstractions;
using AsrPlatform.Host.Audio;
using AsrPlatform.Whisper.Decoding.Scoring;

namespace AsrPlatform.Host.Learning.Corrections;

/// <summary>What the screening found.</summary>
/// <param name="IsPlausible">Whether the correction may be trained on.</param>
/// <param name="Reason">What looks wrong, for people; null when nothing does.</param>
/// <param name="Scores">What was measured; null where rules alone decided.</param>
internal sealed record ScreeningVerdict(bool IsPlausible, string? Reason, ScreeningScores? Scores = null);

/// <summary>Tells corrections that cannot be what was said in their clip: of another segment, in another language, far too long.</summary>
/// <remarks>
/// First rules that need no model, then how likely the model finds the text, given the audio. A new word is unlikely by nature, and a model
/// that hears badly finds everything unlikely: so nothing absolute is asked of the text, only that it is not much less likely per token than
/// what the model itself heard, and that its words are likelier as they stand than in another order. Where the order is very much likelier, the
/// text is of this clip, and what was changed may be a word that the model never met. Belongs to the scorer's thread.
/// </remarks>
internal static class CorrectionScreen
{
    /// <summary>Characters a second that nobody says; texts without spaces have fewer.</summary>
    public const double MostCharactersPerSecond = 35;

    private const double MostIdeographsPerSecond = 15;

    private const double ShortestSeconds = 0.1;

    /// <summary>By how much less likely than the hypothesis a text may be, in natural logarithms per token that was changed.</summary>
    public const double LargestGap = 2.5;

    /// <summary>As <see cref="LargestGap"/>, of a text that is by <see cref="LargeOrder"/> likelier than in another order.</summary>
    public const double LargestGapOfNewWords = 4;

    /// <summary>What a text's order must be worth, per token, for <see cref="LargestGapOfNewWords"/>: texts of other clips hardly reach 3.</summary>
    public const double LargeOrder = 5;

    /// <summary>Fewer changed tokens count as so many: where a model was sure of one wrong token, the right one is very unlikely.</summary>
    public const int LeastChanged = 6;

    /// <summary>By how much likelier than its own words in another order a text must be, per token.</summary>
    public const double SmallestOrder = 1.0;

    /// <summary>Judges a correction.</summary>
    /// <param name="correction">The correction.</param>
    /// <param name="samples">Its clip: 16 kHz, −1…1.</param>
    /// <param name="scorer">The model.</param>
    /// <param name="cancellationToken">Stops between two calls of the model.</param>
    public static ScreeningVerdict Judge(StoredCorrection correction, ReadOnlyMemory<float> samples, ICorrectionScorer scorer, CancellationToken cancellationToken)
    {
        if (Rule(correction, samples.Length / (double)AudioFile.TargetRateHz) is { } broken)
        {
            return new ScreeningVerdict(false, broken);
        }

        if (correction.Text == correction.Hypothesis)
        {
            return new ScreeningVerdict(true, null);
        }

        try
        {
            var scores = Measure(correction.Text, correction.Hypothesis, correction.Language, samples, scorer, cancellationToken);
            var reason = Reason(scores);
            return new ScreeningVerdict(reason is null, reason, scores);
        }
        catch (AsrException error)
        {
            return new ScreeningVerdict(false, $"the model cannot judge it: {error.Message}");
        }
    }

    /// <summary>What is wrong with a correction that needs no model to be seen; null when nothing is.</summary>
    /// <param name="correction">The correction.</param>
    /// <param name="seconds">Length of its clip.</param>
    public static string? Rule(StoredCorrection correction, double seconds)
    {
        var text = correction.Text;
        if (correction.IsTranslation)
        {
            return "its session translates: what is learnt is what was said";
        }

        if (string.IsNullOrWhiteSpace(text))
        {
            return "the text is empty: release it if nobody speaks in the clip";
        }

        if (seconds < ShortestSeconds)
        {
            return string.Create(CultureInfo.InvariantCulture, $"the clip has {seconds:0.00} s: too short for a word");
        }

        var script = Scripts.Of(text);
        var most = script is Script.Han or Script.Kana or Script.Hangul ? MostIdeographsPerSecond : MostCharactersPerSecond;
        if (text.Length / seconds > most)
        {
            return string.Create(CultureInfo.InvariantCulture, $"the text is too long for the audio: {text.Length} characters in {seconds:0.0} s");
        }

        return Scripts.Fits(text, correction.Language) ? null : $"the text is written in {Scripts.NameOf(script)} letters, which the language '{correction.Language}' is not";
    }

    /// <summary>Measures a text against a clip.</summary>
    /// <exception cref="AsrException">As <see cref="ICorrectionScorer.Score"/>.</exception>
    public static ScreeningScores Measure(string text, string hypothesis, string? language, ReadOnlyMemory<float> samples, ICorrectionScorer scorer, CancellationToken cancellationToken)
    {
        var shuffled = Shuffle(text);
        List<string> texts = [text, "", .. hypothesis.Length > 0 ? [hypothesis] : Array.Empty<string>(), .. shuffled is null ? Array.Empty<string>() : [shuffled]];
        var scores = scorer.Score(samples, language, texts, cancellationToken);

        // Who heard nothing heard silence; where it is not known what was heard, at least that is known.
        var heard = scores[hypothesis.Length > 0 ? 2 : 1];
        return new ScreeningScores
        {
            Text = Round(scores[0].AverageLogProbability),
            Silence = Round(scores[1].LogProbability),
            Hypothesis = hypothesis.Length > 0 ? Round(scores[2].AverageLogProbability) : null,
            Shuffled = shuffled is null ? null : Round(scores[^1].AverageLogProbability),
            Gap = Round((heard.LogProbability - scores[0].LogProbability) / Changed(text, scores[0], hypothesis, heard)),
            Tokens = scores[0].Tokens,
        };

        static double Round(double value) => Math.Round(value, 4);
    }

    /// <summary>Tokens of what was changed: of a few words in a long utterance, the rest says nothing about them.</summary>
    private static int Changed(string text, TextScore said, string hypothesis, TextScore heard)
    {
        var diff = CorrectionRows.Diff(hypothesis, text);
        return Math.Max(
            LeastChanged,
            Math.Max(
                Of(said, diff.Where(change => change.Text.Length > 0).Select(change => change.Op != "equal")),
                Of(heard, diff.Where(change => change.Hypothesis.Length > 0).Select(change => change.Op != "equal"))));

        // Where words are not divided by spaces, all counts.
        static int Of(TextScore score, IEnumerable<bool> isChanged) => isChanged.ToList() is var changed && changed.Count == score.Words.Count
            ? score.Words.Where((_, index) => changed[index]).Sum(word => word.Tokens)
            : score.Tokens;
    }

    /// <summary>What is implausible about what was measured; null when nothing is.</summary>
    public static string? Reason(ScreeningScores scores)
    {
        var order = scores.Text - scores.Shuffled;
        if (scores.Gap > (order >= LargeOrder ? LargestGapOfNewWords : LargestGap))
        {
            return string.Create(CultureInfo.InvariantCulture, $"the text does not fit the audio: the model finds its changes {Math.Exp(Math.Min(scores.Gap, 20)):0} times less likely per token than what it heard");
        }

        if (order < SmallestOrder)
        {
            return "the text does not fit the audio: its words are as likely in any other order";
        }

        return null;
    }

    /// <summary>The words in another order, the same for the same text; null when there is no other.</summary>
    private static string? Shuffle(string text)
    {
        var words = text.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (words.Distinct(StringComparer.Ordinal).Count() < 2)
        {
            return null;
        }

        // Halves swapped and each turned around: no word keeps its neighbours or its place.
        var half = words.Length / 2;
        string[] other = [.. words[half..].Reverse(), .. words[..half].Reverse()];
        var shuffled = string.Join(' ', other);
        return shuffled == text ? string.Join(' ', words.Reverse()) is var turned && turned != text ? turned : null : shuffled;
    }
}
