using System.Numerics.Tensors;
using AsrPlatform.Host.Audio;
using AsrPlatform.Host.Learning.Data;
using AsrPlatform.Host.Learning.Synthesis;
using AsrPlatform.Host.Live;

namespace AsrPlatform.Host.Cli;

/// <summary>Speech whose words' times are known.</summary>
/// <param name="Samples">16 kHz.</param>
/// <param name="Words">Times from the first sample.</param>
internal sealed record TimedSpeech(float[] Samples, IReadOnlyList<TimedWord> Words);

/// <summary>How well a detector told speech from everything else.</summary>
internal readonly record struct VoiceActivityScore
{
    /// <summary>Time without a word nearby that was taken for speech, as a share of such time.</summary>
    public required double FalseAlarmRate { get; init; }

    /// <summary>Time of words that was not taken for speech, as a share of such time.</summary>
    public required double MissRate { get; init; }

    /// <summary>As <see cref="MissRate"/>, with <see cref="VoiceActivityTrial.PreRollSeconds"/> before each onset counted as found: what a session does not hear.</summary>
    public required double LostRate { get; init; }

    /// <summary>Words of which less than half was taken for speech, as a share of the words.</summary>
    public required double MissedWordRate { get; init; }
}

/// <summary>
/// Streams of known utterances with pauses between them, under noise: what a detector is measured on. The same seed makes the same
/// streams. Safe for concurrent calls.
/// </summary>
internal sealed class VoiceActivityTrial
{
    /// <summary>Time around words that counts neither way: sounds begin before and fade after what a synthesiser calls a word, and a detector holds on.</summary>
    public const double CollarSeconds = 0.3;

    /// <summary>What a session keeps before an onset by default.</summary>
    public const double PreRollSeconds = 0.5;

    private const int RateHz = AudioFile.TargetRateHz;
    private const double StreamSeconds = 120;
    private const int BabbleVoices = 8;
    private const int BabbleClips = 12;

    private readonly List<SpeechStream> _streams = [];
    private readonly float[][] _babble;
    private readonly int _seed;

    /// <summary>Lays out the streams: 2 min each, 1 to 3 s of pause before, between and after the utterances.</summary>
    /// <param name="speech">Clean utterances, each with words.</param>
    /// <param name="seed">Order, pauses and noise.</param>
    public VoiceActivityTrial(IReadOnlyList<TimedSpeech> speech, int seed)
    {
        _seed = seed;
        var random = new Random(seed);
        TimedSpeech[] order = [.. speech];
        random.Shuffle(order);
        _babble = [.. Enumerable.Range(0, BabbleVoices).Select(voice => Enumerable.Range(0, BabbleClips)
            .SelectMany(clip => Words(order[((voice * BabbleClips) + clip) % order.Length])).ToArray())];

        List<float> samples = [];
        List<(int Start, int End)> words = [];
        foreach (var utterance in order)
        {
            Pause();
            var scaled = utterance.Samples.ToArray();
            var level = SpeechEffects.Level(Words(utterance));
            TensorPrimitives.Multiply(scaled, 1 / level, scaled);
            words.AddRange(utterance.Words.Select(word => (samples.Count + (int)(word.Start * RateHz), samples.Count + (int)(word.End * RateHz))));
            samples.AddRange(scaled);
            if (samples.Count > StreamSeconds * RateHz)
            {
                Close();
            }
        }

        if (words.Count > 0)
        {
            Close();
        }

        void Pause() => samples.AddRange(new float[(int)((1 + (2 * random.NextDouble())) * RateHz)]);

        void Close()
        {
            Pause();
            _streams.Add(new SpeechStream([.. samples], [.. words]));
            samples.Clear();
            words.Clear();
        }
    }

    /// <summary>Whether words lie in the audio.</summary>
    public static bool Fits(int samples, IReadOnlyList<TimedWord> words) =>
        words.Count > 0 && words[^1].End > words[0].Start && words.All(word => word.Start >= 0 && word.End >= word.Start && (int)(word.End * RateHz) <= samples);

    /// <summary>Length of all streams together.</summary>
    public double Seconds => _streams.Sum(stream => (double)stream.Samples.Length) / RateHz;

    /// <summary>Words in all streams together.</summary>
    public int WordCount => _streams.Sum(stream => stream.Words.Length);

    /// <summary>The streams as a microphone gives them.</summary>
    /// <param name="noise">What else is heard; null: nothing, digital silence between the words.</param>
    /// <param name="signalToNoise">Speech over noise in dB, both as root mean squares, that of the speech over its words alone.</param>
    /// <param name="level">Root mean square of the words in dB below full scale; what is above full scale is clipped.</param>
    public IReadOnlyList<float[]> Mix(NoiseKind? noise, double signalToNoise, double level)
    {
        var random = new Random(_seed);
        var gain = (float)Math.Pow(10, level / 20);
        return [.. _streams.Select(stream =>
        {
            var mixed = stream.Samples.ToArray();
            if (noise is { } kind)
            {
                var background = SpeechEffects.Noise(kind, mixed.Length, _babble, random);
                TensorPrimitives.MultiplyAdd(background, (float)Math.Pow(10, -signalToNoise / 20), mixed, mixed);
            }

            TensorPrimitives.Multiply(mixed, gain, mixed);
            TensorPrimitives.Min(mixed, 1, mixed);
            TensorPrimitives.Max(mixed, -1, mixed);
            return mixed;
        })];
    }

    /// <summary>Lets a new detector hear each stream, and counts.</summary>
    /// <param name="detectors">Makes the detectors.</param>
    /// <param name="mixed">The streams, from <see cref="Mix"/>.</param>
    public VoiceActivityScore Run(VoiceActivityDetectorFactory detectors, IReadOnlyList<float[]> mixed)
    {
        long speech = 0, missed = 0, lost = 0, silence = 0, alarmed = 0, words = 0, missedWords = 0;
        for (var index = 0; index < mixed.Count; index++)
        {
            using var detector = detectors(RateHz);
            var samples = mixed[index];
            var stream = _streams[index];
            var found = new bool[samples.Length];
            var heard = new bool[samples.Length];
            for (var at = 0; at + detector.FrameSamples <= samples.Length; at += detector.FrameSamples)
            {
                if (detector.IsSpeech(samples.AsSpan(at, detector.FrameSamples)))
                {
                    found.AsSpan(at, detector.FrameSamples).Fill(true);
                    var from = Math.Max(0, at - (int)(PreRollSeconds * RateHz));
                    heard.AsSpan(from, at + detector.FrameSamples - from).Fill(true);
                }
            }

            var near = new bool[samples.Length];
            foreach (var (start, end) in stream.Words)
            {
                var hits = found.AsSpan(start, end - start).Count(true);
                speech += end - start;
                missed += end - start - hits;
                lost += heard.AsSpan(start, end - start).Count(false);
                words++;
                missedWords += 2 * hits < end - start ? 1 : 0;
                var collar = (int)(CollarSeconds * RateHz);
                var from = Math.Max(0, start - collar);
                near.AsSpan(from, Math.Min(samples.Length, end + collar) - from).Fill(true);
            }

            for (var at = 0; at < samples.Length; at++)
            {
                silence += near[at] ? 0 : 1;
                alarmed += found[at] && !near[at] ? 1 : 0;
            }
        }

        return new VoiceActivityScore
        {
            FalseAlarmRate = Rate(alarmed, silence),
            MissRate = Rate(missed, speech),
            LostRate = Rate(lost, speech),
            MissedWordRate = Rate(missedWords, words),
        };
    }

    private static double Rate(long part, long whole) => Math.Round((double)part / whole, 4);

    private static float[] Words(TimedSpeech utterance) =>
        utterance.Samples[(int)(utterance.Words[0].Start * RateHz)..(int)(utterance.Words[^1].End * RateHz)];

    /// <summary>Speech of level 1, silent between the utterances.</summary>
    /// <param name="Samples">16 kHz.</param>
    /// <param name="Words">First sample and the one after the last of each word.</param>
    private sealed record SpeechStream(float[] Samples, (int Start, int End)[] Words);
}
