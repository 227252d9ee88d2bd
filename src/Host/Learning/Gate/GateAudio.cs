using AsrPlatform.Abstractions;
using AsrPlatform.Host.Learning.Data;
using AsrPlatform.Whisper.Text;
using AsrPlatform.Whisper.Tokens;

namespace AsrPlatform.Host.Learning.Gate;

/// <summary>An utterance in memory.</summary>
/// <param name="Entry">Its row.</param>
/// <param name="Samples">At 16 kHz.</param>
internal sealed record GateUtterance(ManifestEntry Entry, ReadOnlyMemory<float> Samples)
{
    private readonly bool _hasSpaces = Entry.Language is not { } language || WhisperTokenizer.WritesSpaces(language);

    /// <summary>Words of the text, or its characters where the language writes no spaces; at least 1.</summary>
    public int Words => (int)Math.Max(1, _hasSpaces ? WordErrorRate.Measure(Entry.Text, "").ReferenceWords : WordErrorRate.Measure(Entry.Text, "").ReferenceCharacters);

    /// <summary>Words, or characters, of a hypothesis that are wrong, as people see captions: case and punctuation count.</summary>
    public long Errors(string hypothesis)
    {
        var counts = WordErrorRate.Measure(Entry.Text, TextCleanup.Clean(hypothesis));
        return _hasSpaces ? counts.WordErrors : counts.CharacterErrors;
    }
}

/// <summary>Reads the utterances of a gate's manifests, whose sets are small enough for memory.</summary>
internal static class GateAudio
{
    /// <summary>Longest utterance, in samples: 60 s.</summary>
    private const int Longest = 60 * 16000;

    /// <summary>Reads a manifest's utterances, in its order.</summary>
    /// <param name="path">The manifest; null, or a file without rows, has none.</param>
    /// <param name="leftOut">Told of rows that cannot be used.</param>
    /// <exception cref="AsrException">It cannot be read, or has rows and none can be used.</exception>
    public static IReadOnlyList<GateUtterance> Read(string? path, Action<string> leftOut)
    {
        if (path is null || (File.Exists(path) && string.IsNullOrWhiteSpace(File.ReadAllText(path))))
        {
            return [];
        }

        var manifest = Manifest.Read(path);
        foreach (var row in manifest.Dropped)
        {
            leftOut($"{path}, row {row.Row}: {row.Detail}");
        }

        var utterances = new GateUtterance?[manifest.Entries.Count];
        foreach (var file in manifest.Entries.Index().GroupBy(pair => pair.Item.AudioPath, StringComparer.Ordinal))
        {
            try
            {
                using var reader = new UtteranceReader(file.Key);
                foreach (var (index, entry) in file.OrderBy(pair => pair.Item.StartSeconds))
                {
                    var samples = reader.Read(entry.StartSeconds, entry.EndSeconds, Longest);
                    if (samples.Length is > 0 and <= Longest)
                    {
                        utterances[index] = new GateUtterance(entry, samples);
                    }
                    else
                    {
                        leftOut($"{path}, row {entry.Row}: {(samples.Length == 0 ? "no audio" : "longer than a minute")}");
                    }
                }
            }
            catch (AsrException error)
            {
                leftOut(error.Message);
            }
        }

        GateUtterance[] usable = [.. utterances.OfType<GateUtterance>()];
        manifest.RequireUsable(usable.Length);
        return usable;
    }
}
