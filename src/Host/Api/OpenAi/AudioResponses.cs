using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Host.Transcripts;
using AsrPlatform.Whisper.Tokens;

namespace AsrPlatform.Host.Api.OpenAi;

/// <summary>A word and how sure the model is of it, in the place where OpenAI has tokens.</summary>
/// <param name="Token">Text, with its leading space where there is one.</param>
/// <param name="Bytes">The text in UTF-8.</param>
/// <param name="Logprob">Logarithm of the mean probability of the word's tokens.</param>
internal sealed record TokenLogProbability(string Token, int[] Bytes, double Logprob)
{
    /// <summary>Probabilities below this are no longer told apart; the logarithm of 0 is no number in JSON.</summary>
    private const double LowestProbability = 1e-9;

    public static TokenLogProbability Of(string word, double probability) =>
        new(word, [.. Encoding.UTF8.GetBytes(word).Select(one => (int)one)], Math.Round(Math.Log(Math.Clamp(probability, LowestProbability, 1)), 6));

    /// <summary>The words of segments; null unless they are asked for.</summary>
    public static List<TokenLogProbability>? Of(bool asked, IEnumerable<TranscriptSegment> segments) => asked
        ? [.. segments.SelectMany(segment => segment.Words ?? []).Select(word => Of(word.Word, word.Probability))]
        : null;
}

/// <summary>What was used, by time: <c>{"type": "duration", "seconds": 3}</c>.</summary>
/// <param name="Seconds">Length of the audio, rounded up as OpenAI does.</param>
internal sealed record DurationUsage(double Seconds)
{
    [JsonPropertyOrder(-1)]
    public string Type { get; } = "duration";

    public static DurationUsage Of(double seconds) => new(Math.Ceiling(Math.Round(seconds, 3)));
}

/// <summary>Writes a transcript in OpenAI's forms.</summary>
internal static class AudioResponses
{
    /// <summary>Positions of Whisper's encoder per second: what counts as an audio token.</summary>
    private const int AudioTokensPerSecond = 50;

    /// <summary>The answer to a request that is not streamed.</summary>
    public static IResult Of(TranscriptionResult result, AudioRequest request) => request.Format switch
    {
        AudioResponseFormat.Json => Json(new
        {
            Text = result.Text.Trim(),
            Logprobs = TokenLogProbability.Of(request.LogProbabilities, result.Segments),
            Usage = DurationUsage.Of(result.DurationSeconds),
        }),
        AudioResponseFormat.VerboseJson => Json(Verbose(result, request)),
        AudioResponseFormat.Text => Text(result.Text.Trim() + "\n"),
        AudioResponseFormat.Srt => Text(TranscriptFormat.Srt(Cues(result))),
        _ => Text(TranscriptFormat.Vtt(Cues(result))),
    };

    /// <summary>One server-sent event.</summary>
    public static string Event(object data) => $"data: {JsonSerializer.Serialize(data, OpenAiJson.Options)}\n\n";

    /// <summary>The event of new text.</summary>
    public static string Delta(string delta, List<TokenLogProbability>? logProbabilities) =>
        Event(new { Type = "transcript.text.delta", Delta = delta, Logprobs = logProbabilities });

    /// <summary>The last event of a stream.</summary>
    public static string Done(string text, TranscriptionResult result, AudioRequest request)
    {
        var input = (int)Math.Ceiling(result.DurationSeconds * AudioTokensPerSecond);
        var output = result.Segments.Sum(segment => segment.Tokens.Count);
        return Event(new
        {
            Type = "transcript.text.done",
            Text = text,
            Logprobs = TokenLogProbability.Of(request.LogProbabilities, result.Segments),
            Usage = new
            {
                Type = "tokens",
                InputTokens = input,
                InputTokenDetails = new { AudioTokens = input, TextTokens = 0 },
                OutputTokens = output,
                TotalTokens = input + output,
            },
        });
    }

    private static object Verbose(TranscriptionResult result, AudioRequest request) => new
    {
        Task = request.Decoding.Task == TranscriptionTask.Translate ? "translate" : "transcribe",
        Language = LanguageName(result, request),
        Duration = Rounded(result.DurationSeconds),
        Text = result.Text.Trim(),
        Words = request.Words
            ? result.Segments.SelectMany(segment => segment.Words ?? []).Select(word => new { Word = word.Word.Trim(), Start = Rounded(word.Start), End = Rounded(word.End) })
            : null,
        Segments = request.Segments
            ? result.Segments.Select(segment => new
            {
                segment.Id,
                segment.Seek,
                Start = Rounded(segment.Start),
                End = Rounded(segment.End),
                segment.Text,
                segment.Tokens,
                segment.Temperature,

                // Clients require numbers; a recogniser that does not compute one has 0 here.
                AvgLogprob = Finite(segment.AverageLogProbability),
                CompressionRatio = Finite(segment.CompressionRatio),
                NoSpeechProb = Finite(segment.NoSpeechProbability),
            })
            : null,
        Usage = DurationUsage.Of(result.DurationSeconds),
    };

    /// <summary>OpenAI names the language in English; a translation is English.</summary>
    private static string LanguageName(TranscriptionResult result, AudioRequest request)
    {
        var code = request.Decoding.Task == TranscriptionTask.Translate ? "en" : result.Language ?? "en";
        return WhisperLanguages.FindName(code) ?? code;
    }

    private static IEnumerable<SubtitleCue> Cues(TranscriptionResult result) =>
        result.Segments.Select(segment => new SubtitleCue(segment.Start, segment.End, segment.Text));

    private static double Finite(double? value) => value is { } number && double.IsFinite(number) ? number : 0;

    private static double Rounded(double seconds) => Math.Round(seconds, 6);

    private static IResult Json(object value) => Results.Json(value, OpenAiJson.Options);

    private static IResult Text(string text) => Results.Text(text, "text/plain; charset=utf-8");
}
