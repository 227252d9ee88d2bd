using AsrPlatform.Abstractions;
using AsrPlatform.Host.Learning.Data;
using AsrPlatform.Host.Learning.Synthesis;

namespace AsrPlatform.Host.Learning.Bench;

/// <summary>An utterance of a domain.</summary>
/// <param name="Entry">Its audio.</param>
/// <param name="Word">The new word in it, or null.</param>
internal sealed record DomainUtterance(ManifestEntry Entry, string? Word);

/// <summary>A domain, spoken.</summary>
/// <param name="Domain">Which.</param>
/// <param name="Corrections">Utterances to correct, in their order.</param>
/// <param name="Evaluation">Utterances to evaluate on.</param>
internal sealed record DomainData(LearningDomain Domain, IReadOnlyList<DomainUtterance> Corrections, IReadOnlyList<DomainUtterance> Evaluation);

/// <summary>Lets the synthesisers of this machine speak a domain's texts.</summary>
internal static class DomainSpeech
{
    /// <summary>Makes the clips in a folder, or finds them there.</summary>
    /// <param name="texts">What to say.</param>
    /// <param name="synthesizers">Of this machine.</param>
    /// <param name="folder">Gets a folder for the corrections and one for the evaluation.</param>
    /// <param name="seed">Says who says what.</param>
    /// <param name="cancellationToken">Stops between two clips.</param>
    /// <exception cref="AsrException">A voice is not installed, or a clip cannot be made.</exception>
    public static DomainData Make(DomainTexts texts, IReadOnlyList<ISpeechSynthesizer> synthesizers, string folder, int seed, CancellationToken cancellationToken)
    {
        var voices = SpeechSynthesizers.Choose(synthesizers, texts.Domain.Voices, "en");
        return new DomainData(
            texts.Domain,
            Speak(texts.Corrections, Path.Combine(folder, "corrections"), 2 * seed),
            Speak(texts.Evaluation, Path.Combine(folder, "evaluation"), (2 * seed) + 1));

        IReadOnlyList<DomainUtterance> Speak(IReadOnlyList<DomainText> part, string output, int partSeed)
        {
            var clips = SynthesisPlan.Make(new SynthesisOptions
            {
                Texts = [.. part.Select(text => text.Text)],
                Voices = voices,
                Rates = Spread.Parse("1", "--rates", 0.4, 2.5),
                Pitches = Spread.Parse("1", "--pitches", 0.4, 2),
                Levels = Spread.Parse("-14..-1", "--levels", -60, 0),
                Padding = Spread.Parse("0..0.3", "--padding", 0, 30),
                Seed = partSeed,
            });
            var result = new SynthesisRun(synthesizers, output, jobs: 1).Run(clips, null, cancellationToken);
            if (result.Failed.Count > 0)
            {
                throw new AsrException($"{result.Failed.Count} clips of {texts.Domain.Name} could not be made: {result.Failed.Reason}");
            }

            return [.. Manifest.Read(result.ManifestPath).Entries.Zip(part, (entry, text) => new DomainUtterance(entry with { Domain = texts.Domain.Name }, text.Word))];
        }
    }
}
