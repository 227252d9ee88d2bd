using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Whisper;
using AsrPlatform.Whisper.Decoding.Scoring;

namespace AsrPlatform.Host.Learning.Corrections;

/// <summary>Says how likely texts are, given audio. Belongs to the model's thread.</summary>
internal interface ICorrectionScorer
{
    /// <summary>Scores texts against one clip.</summary>
    /// <param name="samples">The clip: 16 kHz, −1…1.</param>
    /// <param name="language">Code of the texts' language; null when it is not known.</param>
    /// <param name="texts">The texts; an empty one says that nobody speaks.</param>
    /// <param name="cancellationToken">Stops between two calls of the model.</param>
    /// <returns>The texts' scores, in their order.</returns>
    /// <exception cref="AsrException">The model cannot hear the clip or cannot write a text.</exception>
    IReadOnlyList<TextScore> Score(ReadOnlyMemory<float> samples, string? language, IReadOnlyList<string> texts, CancellationToken cancellationToken);
}

/// <summary>Scores with a Whisper model, without adapters: what they have learnt from is no evidence for itself.</summary>
internal sealed class WhisperCorrectionScorer(WhisperRecognizer recognizer) : ICorrectionScorer
{
    private readonly TextScorer _scorer = new(recognizer.Parts);

    /// <summary>The scorer of a recogniser; null when it has none.</summary>
    public static ICorrectionScorer? Of(ISpeechRecognizer recognizer) => recognizer is WhisperRecognizer whisper ? new WhisperCorrectionScorer(whisper) : null;

    public IReadOnlyList<TextScore> Score(ReadOnlyMemory<float> samples, string? language, IReadOnlyList<string> texts, CancellationToken cancellationToken)
    {
        var known = recognizer.Info.Languages.Count == 0 || recognizer.Info.Languages.Contains(language, StringComparer.Ordinal) ? language : null;
        return _scorer.Score([.. texts.Select(text => new ScoreRequest(samples, text, known))], cancellationToken);
    }
}
