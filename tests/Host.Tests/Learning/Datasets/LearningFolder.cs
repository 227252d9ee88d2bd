using System.Globalization;
using System.Security.Cryptography;
using AsrPlatform.Host.Audio;
using AsrPlatform.Host.Data;
using AsrPlatform.Host.Learning.Datasets;
using AsrPlatform.Tests;

namespace AsrPlatform.Host.Tests.Learning.Datasets;

/// <summary>A data folder with corrections in it, each with a clip of its own.</summary>
internal sealed class LearningFolder : IDisposable
{
    private readonly TemporaryFolder _root = new();
    private int _clips;

    public LearningFolder(TimeProvider? time = null)
    {
        Data = DataFolder.OpenBeside(_root.File("data"), time ?? TimeProvider.System);
    }

    public DataFolder Data { get; }

    public string Directory => Data.Directory;

    /// <summary>A path beside the data folder.</summary>
    public string File(string name) => _root.File(name);

    /// <summary>Makes a correction that is ready, and its clip; its number. <paramref name="words"/> are the hypothesis', as JSON.</summary>
    public Task<long> AddAsync(
        string text, string hypothesis = "what", string? speaker = null, string? domain = null, string? clip = null, string state = "ready", DateTimeOffset? at = null, string? words = null)
    {
        clip ??= Clip(_clips++);
        return Data.Database.WriteAsync(connection => (long)connection.Scalar(
            """
            INSERT INTO correction (id, hypothesis, text, speaker, domain, language, adapter_version, clip, state, created_at, words)
            VALUES ($id, $hypothesis, $text, $speaker, $domain, 'en', 'base', $clip, $state, $at, $words) RETURNING number
            """,
            ("$id", Guid.NewGuid().ToString("n")),
            ("$hypothesis", hypothesis),
            ("$text", text),
            ("$speaker", speaker),
            ("$domain", domain),
            ("$clip", clip),
            ("$state", state),
            ("$at", (at ?? Data.Time.GetUtcNow()).ToUnixTimeMilliseconds()),
            ("$words", words))!);
    }

    /// <summary>Writes a clip of a second of noise of its own; its hash.</summary>
    public string Clip(int seed)
    {
        var random = new Random(seed);
        using var wav = new MemoryStream();
        WavWriter.Write(wav, Enumerable.Range(0, 16_000).Select(_ => (float)((random.NextDouble() - 0.5) / 10)).ToArray(), 16_000);
        var hash = Convert.ToHexStringLower(SHA256.HashData(wav.ToArray()));
        System.IO.Directory.CreateDirectory(Path.Combine(Directory, "clips", hash[..2]));
        System.IO.File.WriteAllBytes(Path.Combine(Directory, "clips", hash[..2], hash + ".wav"), wav.ToArray());
        return hash;
    }

    /// <summary>Makes an anchor set of so many utterances a part.</summary>
    public string MakeAnchor(string name = "anchor", int utterances = 4)
    {
        var folder = File(name);
        System.IO.Directory.CreateDirectory(folder);
        foreach (var (part, first) in new[] { ("anchor", 1000), ("replay", 2000) })
        {
            var samples = new List<float>();
            var rows = new List<string>();
            for (var index = 0; index < utterances; index++)
            {
                var random = new Random(first + index);
                rows.Add(string.Create(CultureInfo.InvariantCulture, $$"""{"audio":"{{part}}.wav","start":{{index}},"end":{{index + 1}},"text":"{{part}} number {{index}}","language":"en","speaker":"anchor {{index % 2}}"}"""));
                samples.AddRange(Enumerable.Range(0, 16_000).Select(_ => (float)((random.NextDouble() - 0.5) / 10)));
            }

            WavWriter.Write(Path.Combine(folder, part + ".wav"), samples.ToArray(), 16_000);
            System.IO.File.WriteAllLines(Path.Combine(folder, part + ".jsonl"), rows);
        }

        return folder;
    }

    /// <summary>The sides that the database has.</summary>
    public Dictionary<long, string> Sides() => Data.Database.Read(connection => connection.Query(
        "SELECT number, split FROM correction WHERE split IS NOT NULL", reader => (reader.GetInt64(0), reader.GetString(1)))).ToDictionary(row => row.Item1, row => row.Item2);

    public static List<DatasetRow> Rows(CorrectionDataset dataset, string manifest) => DatasetRow.Read(dataset.PathOf(manifest));

    public void Dispose()
    {
        Data.Dispose();
        _root.Dispose();
    }
}
