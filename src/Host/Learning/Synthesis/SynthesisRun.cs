using System.Collections.Concurrent;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using AsrPlatform.Abstractions;
using AsrPlatform.Host.Audio;
using AsrPlatform.Host.Learning.Data;
using AsrPlatform.Whisper.Files;

namespace AsrPlatform.Host.Learning.Synthesis;

/// <summary>What a run made.</summary>
/// <param name="ManifestPath">The manifest.</param>
/// <param name="Clips">Clips in it.</param>
/// <param name="Seconds">Their length.</param>
/// <param name="Failed">Clips that could not be made, with the reason of the first.</param>
internal sealed record SynthesisResult(string ManifestPath, int Clips, double Seconds, (int Count, string? Reason) Failed);

/// <summary>Makes the clips of a plan: WAV files (16 kHz, PCM16) and <c>manifest.jsonl</c> in a folder.</summary>
/// <remarks>
/// A clip is finished when its line is in <c>progress.jsonl</c>; a run that was stopped goes on from there. The manifest appears at the end,
/// whole, in the order of the plan.
/// </remarks>
internal sealed class SynthesisRun
{
    /// <summary>The manifest's name in the output folder.</summary>
    public const string ManifestName = "manifest.jsonl";

    private const string ProgressName = "progress.jsonl";

    /// <summary>Voices of babble: enough that no single one is understood.</summary>
    private const int BabbleVoices = 6;

    private static readonly JsonWriterOptions WriterOptions = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly Dictionary<string, ISpeechSynthesizer> _synthesizers;
    private readonly string _folder;
    private readonly int _jobs;

    /// <summary>Prepares a run.</summary>
    /// <param name="synthesizers">Those of the plan's voices.</param>
    /// <param name="folder">Output folder; made when missing.</param>
    /// <param name="jobs">Clips made at the same time.</param>
    public SynthesisRun(IReadOnlyList<ISpeechSynthesizer> synthesizers, string folder, int jobs)
    {
        _synthesizers = synthesizers.ToDictionary(synthesizer => synthesizer.Name, StringComparer.Ordinal);
        _folder = folder;
        _jobs = Math.Max(1, jobs);
    }

    /// <summary>Makes what is not there yet.</summary>
    /// <param name="clips">The plan.</param>
    /// <param name="progress">Told clips done and all clips, one call at a time; may be null.</param>
    /// <param name="cancellationToken">Stops; the next run goes on.</param>
    /// <exception cref="AsrException">The folder cannot be written, or no clip could be made.</exception>
    public SynthesisResult Run(IReadOnlyList<PlannedClip> clips, Action<int, int>? progress, CancellationToken cancellationToken)
    {
        try
        {
            return RunAll(clips, progress, cancellationToken);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new AsrException($"{_folder} cannot be written: {error.Message}", error);
        }
    }

    private SynthesisResult RunAll(IReadOnlyList<PlannedClip> clips, Action<int, int>? progress, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(_folder);
        var lines = ReadProgress(clips);
        var temporary = Directory.CreateDirectory(Path.Combine(_folder, ".tmp")).FullName;
        var failures = new ConcurrentBag<(int Index, string Reason)>();
        var done = lines.Count;
        try
        {
            using var journal = new StreamWriter(Path.Combine(_folder, ProgressName), append: true, new UTF8Encoding(false)) { AutoFlush = true };
            PlannedClip[] missing = [.. clips.Where(clip => !lines.ContainsKey(clip.FileName))];
            var babble = missing.Any(clip => clip.Noise == NoiseKind.Babble && clip.SignalToNoise is not null) ? MakeBabble(clips, temporary, cancellationToken) : [];
            Parallel.ForEach(missing, new ParallelOptions { MaxDegreeOfParallelism = _jobs, CancellationToken = cancellationToken }, clip =>
            {
                string? line = null;
                try
                {
                    line = MakeClip(clip, babble, temporary, cancellationToken);
                }
                catch (AsrException error)
                {
                    failures.Add((clip.Index, error.Message));
                }

                lock (journal)
                {
                    if (line is not null)
                    {
                        journal.Write(line + "\n");
                        lines[clip.FileName] = line;
                    }

                    progress?.Invoke(++done, clips.Count);
                }
            });
        }
        finally
        {
            Directory.Delete(temporary, recursive: true);
        }

        var reason = failures.OrderBy(failure => failure.Index).FirstOrDefault().Reason;
        string[] finished = [.. clips.Select(clip => lines.GetValueOrDefault(clip.FileName)).OfType<string>()];
        if (finished.Length == 0)
        {
            throw new AsrException($"no clip could be made: {reason}");
        }

        var manifest = Path.Combine(_folder, ManifestName);
        AtomicFile.Write(manifest, stream =>
        {
            foreach (var line in finished)
            {
                stream.Write(Encoding.UTF8.GetBytes(line + "\n"));
            }
        });
        return new SynthesisResult(manifest, finished.Length, finished.Sum(line => JsonDocument.Parse(line).RootElement.GetProperty("duration").GetDouble()), (failures.Count, reason));
    }

    /// <summary>The lines of clips that are finished and still there.</summary>
    private ConcurrentDictionary<string, string> ReadProgress(IReadOnlyList<PlannedClip> clips)
    {
        var lines = new ConcurrentDictionary<string, string>(StringComparer.Ordinal);
        var path = Path.Combine(_folder, ProgressName);
        if (!File.Exists(path))
        {
            return lines;
        }

        var planned = clips.Select(clip => clip.FileName).ToHashSet(StringComparer.Ordinal);
        var text = File.ReadAllText(path);
        foreach (var line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            try
            {
                using var json = JsonDocument.Parse(line);
                if (json.RootElement.GetProperty("audio").GetString() is { } name && planned.Contains(name) && File.Exists(Path.Combine(_folder, name)))
                {
                    lines[name] = line;
                }
            }
            catch (Exception error) when (error is JsonException or KeyNotFoundException or InvalidOperationException)
            {
                // The line that was being written when a run was killed: its clip is made again.
            }
        }

        if (text.Length > 0 && text[^1] != '\n')
        {
            // So that the next line is not glued to half of one.
            File.AppendAllText(path, "\n");
        }

        return lines;
    }

    private List<float[]> MakeBabble(IReadOnlyList<PlannedClip> clips, string temporary, CancellationToken cancellationToken)
    {
        var voices = new List<float[]>();
        foreach (var clip in clips.Where(clip => clip.Voice is not null).DistinctBy(clip => clip.Text).Take(BabbleVoices * 2))
        {
            try
            {
                var samples = Speak(clip with { WordTimes = false }, clip.Text, temporary, cancellationToken).Samples;
                if (SpeechEffects.Level(samples) is > 0 and var level)
                {
                    voices.Add([.. samples.Select(sample => sample / level)]);
                }
            }
            catch (AsrException)
            {
                // The clip itself will say why.
            }

            if (voices.Count == BabbleVoices)
            {
                break;
            }
        }

        return voices;
    }

    private SpokenUtterance Speak(PlannedClip clip, string text, string temporary, CancellationToken cancellationToken)
    {
        var spoken = _synthesizers[clip.Voice!.Synthesizer].Speak(new SpeechRequest(text, clip.Voice, clip.Rate, clip.Pitch, clip.WordTimes), temporary, cancellationToken);
        return SpeechEffects.Level(spoken.Samples) > 0 ? spoken : throw new AsrException($"{clip.Voice.FullName} says nothing for '{text}'");
    }

    /// <summary>The utterances of a clip that fit, one after the other, in its length without what is after them.</summary>
    private (float[] Samples, List<TimedText> Utterances, List<TimedWord> Words) SpeakAll(PlannedClip clip, string temporary, CancellationToken cancellationToken)
    {
        var parts = new List<(int At, float[] Samples)>();
        var utterances = new List<TimedText>();
        var words = new List<TimedWord>();
        var end = 0;
        foreach (var (gap, text) in clip.Joined.Prepend(new JoinedText(clip.Before, clip.Text)))
        {
            var spoken = Speak(clip, text, temporary, cancellationToken);
            var at = end + (int)(gap * AudioFile.TargetRateHz);
            if (parts.Count > 0 && at + spoken.Samples.Length > clip.JoinSeconds * AudioFile.TargetRateHz)
            {
                break;
            }

            var start = at / (double)AudioFile.TargetRateHz;
            var own = spoken.Words.Select(word => WordTimes.Round(word with { Start = word.Start + start, End = word.End + start })).ToArray();
            end = at + spoken.Samples.Length;
            parts.Add((at, spoken.Samples));
            words.AddRange(own);
            utterances.Add(own is [var first, ..]
                ? new TimedText(text, first.Start, own[^1].End)
                : new TimedText(text, Math.Round(start, 2), Math.Round(end / (double)AudioFile.TargetRateHz, 2)));
        }

        var samples = new float[end];
        parts.ForEach(part => part.Samples.CopyTo(samples.AsSpan(part.At)));

        // A word without a time is none at all: which one it is could not be told.
        return (samples, utterances, words.Count == utterances.Sum(utterance => utterance.Text.Count(' ') + 1) || utterances.Count == 1 ? words : []);
    }

    /// <summary>Makes a clip's file and gives its line.</summary>
    private string MakeClip(PlannedClip clip, IReadOnlyList<float[]> babble, string temporary, CancellationToken cancellationToken)
    {
        var random = new Random(clip.Seed);
        float[] samples;
        IReadOnlyList<TimedText> utterances = [];
        IReadOnlyList<TimedWord> words = [];
        if (clip.Voice is null)
        {
            samples = SpeechEffects.Noise(clip.Noise, (int)(clip.Before * AudioFile.TargetRateHz), babble, random);
            var gain = (float)Math.Pow(10, -clip.SignalToNoise!.Value / 20);
            for (var index = 0; index < samples.Length; index++)
            {
                samples[index] *= gain;
            }
        }
        else
        {
            (var speech, utterances, words) = SpeakAll(clip, temporary, cancellationToken);
            samples = [.. speech, .. new float[(int)(clip.After * AudioFile.TargetRateHz)]];
            if (clip.Reverberation is { } seconds)
            {
                samples = SpeechEffects.Reverberate(samples, seconds, random);
            }

            if (clip.SignalToNoise is { } ratio)
            {
                SpeechEffects.AddNoise(samples, SpeechEffects.Noise(clip.Noise, samples.Length, babble, random), ratio);
            }
        }

        if (clip.Telephone)
        {
            SpeechEffects.LimitBand(samples);
        }

        if (clip.Voice is not null)
        {
            SpeechEffects.SetPeak(samples, clip.Level);
        }

        // A file is whole before it has its name; flushing each to disk would take longer than making it.
        var unnamed = Path.Combine(temporary, clip.FileName);
        using (var file = new FileStream(unnamed, FileMode.Create, FileAccess.Write))
        {
            WavWriter.Write(file, samples, AudioFile.TargetRateHz);
        }

        File.Move(unnamed, Path.Combine(_folder, clip.FileName), overwrite: true);
        return Line(clip, samples.Length / (double)AudioFile.TargetRateHz, utterances, words);
    }

    private static string Line(PlannedClip clip, double seconds, IReadOnlyList<TimedText> utterances, IReadOnlyList<TimedWord> words)
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer, WriterOptions))
        {
            writer.WriteStartObject();
            writer.WriteString("audio", clip.FileName);
            writer.WriteString("text", string.Join(' ', utterances.Select(utterance => utterance.Text)));
            if (clip.Voice is { } voice)
            {
                writer.WriteString("language", voice.Language);
                writer.WriteString("speaker", voice.FullName);
            }
            else
            {
                writer.WriteBoolean("silence", true);
            }

            writer.WriteNumber("duration", Math.Round(seconds, 3));
            if (clip.Voice is not null)
            {
                writer.WriteNumber("rate", clip.Rate);
                writer.WriteNumber("pitch", clip.Pitch);
            }

            if (clip.SignalToNoise is { } ratio && clip.Voice is not null)
            {
                writer.WriteNumber("snr", ratio);
                writer.WriteString("noise", clip.Noise.ToString().ToLowerInvariant());
            }

            if (clip.Reverberation is { } time)
            {
                writer.WriteNumber("rt60", time);
            }

            if (utterances.Count > 1)
            {
                WriteTimed(writer, "segments", "text", utterances.Select(one => (one.Text, one.Start, one.End)));
            }

            if (words.Count > 0)
            {
                WriteTimed(writer, "words", "word", words.Select(one => (one.Word, one.Start, one.End)));
            }

            writer.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.ToArray());
    }

    /// <summary>A list of texts with their times, as <see cref="Manifest"/> reads it.</summary>
    private static void WriteTimed(Utf8JsonWriter writer, string listName, string textName, IEnumerable<(string Text, double Start, double End)> parts)
    {
        writer.WriteStartArray(listName);
        foreach (var (text, start, end) in parts)
        {
            writer.WriteStartObject();
            writer.WriteString(textName, text);
            writer.WriteNumber("start", start);
            writer.WriteNumber("end", end);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }
}
