using System.Text.Json;
using AsrPlatform.Host.Audio;
using AsrPlatform.Host.Learning.Gate;
using AsrPlatform.Tests;
using AsrPlatform.Whisper.Decoding.Scoring;

namespace AsrPlatform.Host.Tests.Learning.Gate;

/// <summary>
/// A model that knows what is said in each clip, by the clip's length, and words or not: a word that a version does not know comes out
/// as another, and costs more nats. Words that are not said cost more still.
/// </summary>
internal sealed class SimulatedModel : IGateModel
{
    private const double Known = 0.3;
    private const double NotSaid = 8;

    private readonly Dictionary<int, string> _said = [];
    private readonly Dictionary<string, Func<string, bool>> _versions = new(StringComparer.Ordinal);

    /// <summary>Names of adapters that were added and removed again.</summary>
    public List<string> Removed { get; } = [];

    /// <summary>Nats that a word costs a version which does not know it.</summary>
    public double Unknown { get; set; } = 3;

    /// <summary>What a version hears in silence; null: nothing.</summary>
    public Func<string, string>? InSilence { get; set; }

    /// <summary>Words that a folder's adapter knows: what <see cref="Add"/> reads.</summary>
    public Func<string, Func<string, bool>>? Trained { get; set; }

    /// <summary>A version knows these words.</summary>
    public SimulatedModel With(string? version, Func<string, bool> knows)
    {
        _versions[version ?? ""] = knows;
        return this;
    }

    /// <summary>Writes a clip in which something is said, empty for silence, and a row about it.</summary>
    public string Row(TemporaryFolder folder, string said, string? text = null, string? hypothesis = null, string? speaker = null, string? domain = null)
    {
        var samples = new float[1600 + (16 * _said.Count)];
        _said.Add(samples.Length, said);
        var path = folder.File($"clip{_said.Count}.wav");
        WavWriter.Write(path, samples, 16000);
        return JsonSerializer.Serialize(
            new { audio = path, text = text ?? said, hypothesis, speaker, domain, silence = said.Length == 0 ? true : (bool?)null, kind = "correction", id = _said.Count },
            GateDecision.JsonForm);
    }

    public IReadOnlyList<string> Hear(IReadOnlyList<GateClip> clips, CancellationToken cancellationToken) => [.. clips.Select(clip =>
        _said[clip.Samples.Length] is { Length: > 0 } said ? Heard(said, clip.Adapter) : InSilence?.Invoke(clip.Adapter ?? "") ?? "")];

    /// <summary>What a version hears of words.</summary>
    public string Heard(string said, string? version) => string.Join(' ', said.Split(' ').Select(word => _versions[version ?? ""](word) ? word : word[..^1] + "x"));

    public IReadOnlyList<TextScore?> Score(IReadOnlyList<(GateClip Clip, string Text)> requests, CancellationToken cancellationToken) => [.. requests.Select(request =>
    {
        var said = _said[request.Clip.Samples.Length].Split(' ');
        WordScore[] words = [.. request.Text.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(word => new WordScore(
            word, !said.Contains(word) ? -NotSaid : _versions[request.Clip.Adapter ?? ""](word) ? -Known : -Unknown, 1))];
        return new TextScore(words.Sum(word => word.LogProbability) - Known, words.Length + 1, words);
    })];

    public IDisposable Add(string name, string folder)
    {
        With(name, Trained!(folder));
        return new Resident(() =>
        {
            _versions.Remove(name);
            Removed.Add(name);
        });
    }

    private sealed class Resident(Action remove) : IDisposable
    {
        public void Dispose() => remove();
    }
}
