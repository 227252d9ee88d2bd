using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using AsrPlatform.Abstractions;
using AsrPlatform.Host.Data;
using AsrPlatform.Host.Learning.Confidence;
using AsrPlatform.Host.Learning.Corrections;
using AsrPlatform.Whisper.Files;

namespace AsrPlatform.Host.Learning.Datasets;

/// <summary>What a data set is to hold.</summary>
/// <param name="Settings">How it is put together.</param>
/// <param name="Learned">Corrections that the adapter to go on from knows: they are replayed; empty for a fresh one.</param>
/// <param name="Without">Corrections to leave out.</param>
/// <param name="Anchor">The anchor set; null for none.</param>
internal sealed record DatasetRequest(DatasetSettings Settings, IReadOnlySet<long> Learned, IReadOnlySet<long> Without, AnchorSet? Anchor);

/// <summary>Makes frozen data sets of the corrections that are ready, below <c>datasets/</c> of a data folder. Safe for concurrent calls, other processes' included.</summary>
internal sealed class CorrectionDatasets(DataFolder folder)
{
    private readonly string _root = Path.Combine(folder.Directory, "datasets");
    private readonly ClipStore _clips = new(folder, folder.Time);

    /// <summary>Gives sides to corrections that have none, and makes the data set.</summary>
    /// <exception cref="AsrException">There is nothing new to learn, a calibration of confidences is damaged, or it cannot be written.</exception>
    public async Task<CorrectionDataset> BuildAsync(DatasetRequest request, CancellationToken cancellationToken)
    {
        var all = await folder.Database.WriteAsync(connection =>
        {
            var read = DatasetCorrection.Read(connection);
            var sides = CorrectionSplit.Assign(read, request.Settings.HeldOutShare);
            foreach (var (number, side) in sides)
            {
                connection.Execute(
                    "UPDATE correction SET split = $side WHERE number = $number AND split IS NULL",
                    ("$side", side == SplitSide.Train ? "train" : "held-out"),
                    ("$number", number));
            }

            return read.ConvertAll(one => sides.TryGetValue(one.Number, out var side) ? one with { Side = side } : one);
        });
        cancellationToken.ThrowIfCancellationRequested();
        var usable = all.FindAll(one => one.IsReady && !request.Without.Contains(one.Number) && _clips.Has(one.Clip!));
        var train = usable.FindAll(one => one.Side == SplitSide.Train && !request.Learned.Contains(one.Number));
        if (train.Count == 0)
        {
            throw new AsrException(usable.Count == 0
                ? "there is nothing to learn: no correction is ready (asr corrections list shows them)"
                : string.Create(CultureInfo.InvariantCulture, $"there is nothing new to learn: the active adapter knows the {usable.Count} corrections that are ready"));
        }

        var confidence = new ConfidenceMaps();
        confidence.Use(new ConfidenceStore(folder).Read());
        var earlier = usable.FindAll(one => one.Side == SplitSide.Train && request.Learned.Contains(one.Number));
        earlier.RemoveRange(0, Math.Max(0, earlier.Count - request.Settings.MaximumEarlier));
        return Write(
            request.Settings,
            new Dictionary<string, IReadOnlyList<DatasetRow>>
            {
                [CorrectionDataset.Train] = [.. train.Select(one => Row(one) with { Weight = Weight(one, confidence) })],
                [CorrectionDataset.HeldOut] = [.. usable.Where(one => one.Side == SplitSide.HeldOut).Select(Row)],

                // Earlier corrections stay what they are: an adapter must not be held to the base where it has learned better.
                [CorrectionDataset.Replay] = [.. earlier.Select(Row), .. request.Anchor?.Replay ?? []],
                [CorrectionDataset.Anchor] = request.Anchor?.Anchor ?? [],
            });
    }

    /// <summary>Writes a data set with its audio into a folder that anything which reads manifests can use.</summary>
    /// <exception cref="AsrException">The folder is not empty or cannot be written, or a clip is gone.</exception>
    public static void Export(CorrectionDataset dataset, string directory)
    {
        try
        {
            if (Directory.Exists(directory) && Directory.EnumerateFileSystemEntries(directory).Any())
            {
                throw new AsrException($"--export {directory}: the folder is not empty");
            }

            Directory.CreateDirectory(Path.Combine(directory, "audio"));
            foreach (var manifest in CorrectionDataset.Manifests)
            {
                var rows = DatasetRow.Read(dataset.PathOf(manifest)).ConvertAll(row =>
                {
                    var source = Path.GetFullPath(row.Audio, dataset.Directory);
                    var name = $"audio/{Path.GetFileName(source)}";
                    File.Copy(source, Path.Combine(directory, name), overwrite: true);
                    return row with { Audio = name };
                });
                DatasetRow.Write(Path.Combine(directory, manifest), rows);
            }

            File.Copy(dataset.PathOf(CorrectionDataset.FileName), Path.Combine(directory, CorrectionDataset.FileName));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new AsrException($"--export {directory}: {error.Message}", error);
        }
    }

    /// <summary>By how far the confidences of its words were off, as they are calibrated now. Two digits: no manifest needs more.</summary>
    private static double Weight(DatasetCorrection correction, ConfidenceMaps confidence) =>
        Math.Round(CaptionedWords.Weight([.. correction.Words.Select(word => confidence.Calibrate(word, correction.AdapterVersion))], correction.Text), 2);

    private DatasetRow Row(DatasetCorrection correction) => new()
    {
        // From any data set's folder.
        Audio = Path.GetRelativePath(Path.Combine(_root, "HASH"), _clips.FileOf(correction.Clip!)),
        Text = correction.Text,
        Language = correction.Language,
        Speaker = correction.Speaker,
        Domain = correction.Domain,
        Id = JsonValue.Create(correction.Number),
        Kind = DatasetRow.Correction,
        Hypothesis = correction.Hypothesis,
    };

    private CorrectionDataset Write(DatasetSettings settings, Dictionary<string, IReadOnlyList<DatasetRow>> manifests)
    {
        var hash = HashOf(settings, manifests);
        var dataset = new CorrectionDataset
        {
            Hash = hash,
            Directory = Path.Combine(_root, hash),
            Settings = settings,
            Corrections = [.. manifests[CorrectionDataset.Train].Concat(manifests[CorrectionDataset.Replay]).Select(row => row.Number).OfType<long>().Order()],
            Rows = CorrectionDataset.Manifests.ToDictionary(name => name, name => manifests[name].Count),
        };
        try
        {
            Directory.CreateDirectory(dataset.Directory);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new AsrException($"the data set {dataset.Directory} cannot be made: {error.Message}", error);
        }

        // Equal content gives equal files, except for where an anchor set was unpacked to: the newest place counts.
        foreach (var name in CorrectionDataset.Manifests)
        {
            DatasetRow.Write(dataset.PathOf(name), manifests[name]);
        }

        AtomicFile.Write(dataset.PathOf(CorrectionDataset.FileName), stream => JsonSerializer.Serialize(stream, dataset, CorrectionDataset.Format));
        return dataset;
    }

    /// <summary>Audio counts by its content, after which its file is named.</summary>
    private static string HashOf(DatasetSettings settings, Dictionary<string, IReadOnlyList<DatasetRow>> manifests)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes($"data set 1 {JsonSerializer.Serialize(settings)}\n"));
        foreach (var name in CorrectionDataset.Manifests)
        {
            hash.AppendData(Encoding.UTF8.GetBytes($"{name}\n"));
            foreach (var row in manifests[name])
            {
                hash.AppendData(Encoding.UTF8.GetBytes((row with { Audio = Path.GetFileName(row.Audio) }).ToJson() + "\n"));
            }
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
