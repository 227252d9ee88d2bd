using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using AsrPlatform.Abstractions;
using AsrPlatform.Host.Audio;
using AsrPlatform.Host.Learning.Data;

namespace AsrPlatform.Host.Learning.Datasets;

/// <summary>Speech that a model knows: <c>replay.jsonl</c> to train on beside corrections, <c>anchor.jsonl</c> to see what was forgotten.</summary>
/// <remarks>Immutable. Its audio is unpacked once into the data folder, so that a round reads plain WAV files.</remarks>
internal sealed class AnchorSet
{
    /// <summary>The folder in a model's that holds its anchor set.</summary>
    public const string FolderName = "anchor";

    /// <summary>Its manifest to evaluate on.</summary>
    public const string AnchorFile = "anchor.jsonl";

    private const string ReplayFile = "replay.jsonl";
    private const string IndexFile = "index.json";

    private AnchorSet(IReadOnlyList<DatasetRow> replay, IReadOnlyList<DatasetRow> anchor)
    {
        Replay = replay;
        Anchor = anchor;
    }

    /// <summary>To train on; audio as full paths, named after their content.</summary>
    public IReadOnlyList<DatasetRow> Replay { get; }

    /// <summary>To evaluate on.</summary>
    public IReadOnlyList<DatasetRow> Anchor { get; }

    /// <summary>The folder of a model's anchor set: the one that is given, else the model's own; null when it has none.</summary>
    /// <exception cref="AsrException">The one that is given holds no anchor set.</exception>
    public static string? Find(string? given, string modelDirectory)
    {
        var folder = given ?? Path.Combine(modelDirectory, FolderName);
        return File.Exists(Path.Combine(folder, AnchorFile)) ? Path.GetFullPath(folder)
            : given is null ? null
            : throw new AsrException($"the anchor set {given}: there is no {AnchorFile} in it");
    }

    /// <summary>Opens an anchor set, unpacking it where that has not been done.</summary>
    /// <param name="folder">As <see cref="Find"/> gives it.</param>
    /// <param name="dataDirectory">Keeps the unpacked audio below <c>cache/anchor</c>, which may be deleted at any time.</param>
    /// <param name="cancellationToken">Stops between two utterances.</param>
    /// <exception cref="AsrException">A manifest or its audio cannot be used.</exception>
    public static AnchorSet Open(string folder, string dataDirectory, CancellationToken cancellationToken)
    {
        var anchor = Manifest.Read(Path.Combine(folder, AnchorFile));
        var replay = File.Exists(Path.Combine(folder, ReplayFile)) ? Manifest.Read(Path.Combine(folder, ReplayFile)) : null;
        var cache = Path.Combine(dataDirectory, "cache", "anchor");
        var target = Path.Combine(cache, Key(anchor, replay));
        if (!File.Exists(Path.Combine(target, IndexFile)))
        {
            var temporary = $"{target}.{Environment.ProcessId:x}-{Guid.NewGuid():n}.tmp";
            try
            {
                Directory.CreateDirectory(temporary);
                DatasetRow[] rows = [.. Unpack(replay, DatasetRow.Replay, temporary, cancellationToken), .. Unpack(anchor, DatasetRow.Anchor, temporary, cancellationToken)];
                DatasetRow.Write(Path.Combine(temporary, IndexFile), rows);
                Directory.Move(temporary, target);
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                // Another process may have been faster.
                if (!File.Exists(Path.Combine(target, IndexFile)))
                {
                    throw new AsrException($"the anchor set cannot be unpacked into {cache}: {error.Message}", error);
                }
            }
            finally
            {
                if (Directory.Exists(temporary))
                {
                    Directory.Delete(temporary, recursive: true);
                }
            }
        }

        var unpacked = DatasetRow.Read(Path.Combine(target, IndexFile)).ConvertAll(row => row with { Audio = Path.Combine(target, row.Audio) });
        return new AnchorSet(unpacked.FindAll(row => row.Kind == DatasetRow.Replay), unpacked.FindAll(row => row.Kind == DatasetRow.Anchor));
    }

    private static string Key(Manifest anchor, Manifest? replay)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var manifest in (Manifest?[])[anchor, replay])
        {
            if (manifest is not null)
            {
                hash.AppendData(File.ReadAllBytes(manifest.Path));
                foreach (var file in manifest.Entries.Select(entry => entry.AudioPath).Distinct(StringComparer.Ordinal))
                {
                    using var stream = File.OpenRead(file);
                    hash.AppendData(SHA256.HashData(stream));
                }
            }
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static List<DatasetRow> Unpack(Manifest? manifest, string kind, string target, CancellationToken cancellationToken)
    {
        var rows = new SortedDictionary<int, DatasetRow>();
        foreach (var file in manifest?.Entries.GroupBy(entry => entry.AudioPath, StringComparer.Ordinal) ?? [])
        {
            // Ascending stretches are read in one pass.
            using var reader = new UtteranceReader(file.Key);
            foreach (var entry in file.OrderBy(entry => entry.StartSeconds))
            {
                cancellationToken.ThrowIfCancellationRequested();
                var samples = reader.Read(entry.StartSeconds, entry.EndSeconds, 60 * AudioFile.TargetRateHz);
                if (samples.Length == 0)
                {
                    throw new AsrException($"{manifest!.Path}, row {entry.Row}: {entry.AudioName} ends before the utterance begins");
                }

                using var wav = new MemoryStream();
                WavWriter.Write(wav, samples, AudioFile.TargetRateHz);
                var name = Convert.ToHexStringLower(SHA256.HashData(wav.GetBuffer().AsSpan(0, (int)wav.Length))) + ".wav";
                File.WriteAllBytes(Path.Combine(target, name), wav.ToArray());
                rows.Add(entry.Row, new DatasetRow
                {
                    Audio = name,
                    Text = entry.Text,
                    Language = entry.Language,
                    Speaker = entry.Speaker,
                    Domain = entry.Domain,
                    Id = JsonValue.Create(string.Create(CultureInfo.InvariantCulture, $"{kind}-{entry.Row}")),
                    Kind = kind,
                    Silence = entry.IsSilence ? true : null,
                });
            }
        }

        return [.. rows.Values];
    }
}
