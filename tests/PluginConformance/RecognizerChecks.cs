using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Audio;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Abstractions.Models;

namespace AsrPlatform.PluginConformance;

/// <summary>What every recogniser must do, whatever it recognises.</summary>
internal sealed class RecognizerChecks(Checklist list, ISpeechRecognizerBackend backend, ModelLoadOptions options)
{
    private static readonly TranscriptionOptions Words = new() { WordTimestamps = true };

    public void Run()
    {
        // A recogniser that reads no model may refuse one.
        if (!backend.CanLoad(options, out var reason) && options.ModelDirectory is not null)
        {
            options = options with { ModelDirectory = null };
        }

        if (!backend.CanLoad(options, out var second))
        {
            list.Run("recognizer: says why it cannot load", () =>
                Expect.That(!string.IsNullOrWhiteSpace(second), "CanLoad is false without a reason"));
            list.Skip("recognizer", $"'{backend.Name}' cannot load: {second ?? reason}");
            return;
        }

        ISpeechRecognizer? recognizer = null;
        if (!list.Run("recognizer: loads", () => recognizer = backend.Load(options)))
        {
            return;
        }

        Check(recognizer!);
    }

    private void Check(ISpeechRecognizer recognizer)
    {
        var info = recognizer.Info;
        list.Run("recognizer: info", () =>
        {
            Expect.That(!string.IsNullOrWhiteSpace(info.Name), "Info.Name is empty");
            Expect.That(!string.IsNullOrWhiteSpace(info.Backend), "Info.Backend is empty");
            Expect.That(info.SampleRateHz is >= 1000 and <= 384_000, $"Info.SampleRateHz is {info.SampleRateHz}");
            Expect.That(!string.IsNullOrWhiteSpace(info.AdapterVersion), "Info.AdapterVersion is empty");
            return $"{info.Name}, {info.Backend}, {info.SampleRateHz} Hz";
        });

        var rate = info.SampleRateHz;
        var tone = Tone(rate, seconds: 1);
        var texts = new Dictionary<string, string>();
        foreach (var (name, samples) in new[] { ("1 sample", new float[1]), ("1 s of silence", new float[rate]), ("1 s of a tone", tone), ("2.5 s of noise", Noise(rate * 5 / 2)) })
        {
            list.Run($"recognizer: {name}", () =>
            {
                var reported = new List<TranscriptionProgress>();
                var result = recognizer.Transcribe(new MemoryAudioSource(samples, rate), Words, reported.Add);
                CheckResult(result, (double)samples.Length / rate);
                CheckProgress(reported, result);
                texts[name] = result.Text;
                return $"\"{result.Text}\"";
            });
        }

        list.Run("recognizer: the same again", () =>
        {
            foreach (var (name, samples) in new[] { ("1 s of a tone", tone), ("1 s of silence", new float[rate]) })
            {
                Expect.That(texts.TryGetValue(name, out var before), $"{name} could not be transcribed before");
                var text = recognizer.Transcribe(new MemoryAudioSource(samples, rate), Words).Text;
                Expect.That(text == before, $"{name} was \"{before}\" and is \"{text}\" at the second time");
            }
        });

        list.Run("recognizer: cancelled before", () => Expect.Throws<OperationCanceledException>(
            "a cancelled token",
            () => recognizer.Transcribe(new MemoryAudioSource(tone, rate), Words, null, new CancellationToken(canceled: true))));

        list.Run("recognizer: cancelled in the middle", () =>
        {
            using var source = new CancellationTokenSource();
            var audio = new CancellingSource(rate, source);
            Expect.Throws<OperationCanceledException>("a token cancelled while reading", () => recognizer.Transcribe(audio, Words, null, source.Token));
        });

        list.Run("recognizer: works after cancellation", () =>
            recognizer.Transcribe(new MemoryAudioSource(tone, rate), Words));

        if (info.Languages.Count > 0)
        {
            list.Run("recognizer: unknown language", () => Expect.Throws<AsrException>(
                "the language 'not-one'",
                () => recognizer.Transcribe(new MemoryAudioSource(tone, rate), new TranscriptionOptions { Language = "not-one" })));
        }

        list.Run("recognizer: broken audio", () => Expect.Throws<AsrException>(
            "audio whose reader throws",
            () => recognizer.Transcribe(new BrokenSource(rate), Words)));

        list.Run("recognizer: disposal", () =>
        {
            recognizer.Dispose();
            recognizer.Dispose();
            Expect.Throws<ObjectDisposedException>("Transcribe after Dispose", () => recognizer.Transcribe(new MemoryAudioSource(tone, rate), Words));
        });
    }

    private static void CheckResult(TranscriptionResult result, double seconds)
    {
        Expect.That(result.Text is not null, "Text is null");
        Expect.That(Math.Abs(result.DurationSeconds - seconds) <= 0.02, $"DurationSeconds is {result.DurationSeconds:g6} for {seconds:g6} s of audio");
        double last = 0;
        for (var index = 0; index < result.Segments.Count; index++)
        {
            var segment = result.Segments[index];
            Expect.That(segment.Id == index, $"segment {index} has the id {segment.Id}");
            CheckTimes($"segment {index}", segment.Start, segment.End, last);
            last = segment.Start;
            var lastWord = 0.0;
            foreach (var word in segment.Words ?? [])
            {
                CheckTimes($"the word \"{word.Word}\"", word.Start, word.End, lastWord);
                Expect.That(word.Probability is >= 0 and <= 1, $"the word \"{word.Word}\" has the probability {word.Probability}");
                lastWord = word.Start;
            }
        }
    }

    private static void CheckTimes(string what, double start, double end, double notBefore)
    {
        Expect.That(double.IsFinite(start) && double.IsFinite(end) && start >= 0 && end >= start, $"{what} lasts from {start:g6} to {end:g6} s");
        Expect.That(start >= notBefore, $"{what} begins at {start:g6} s, before the one in front of it at {notBefore:g6} s");
    }

    private static void CheckProgress(List<TranscriptionProgress> reported, TranscriptionResult result)
    {
        var done = 0.0;
        foreach (var progress in reported)
        {
            Expect.That(progress.DoneSeconds >= done, $"progress goes back from {done:g6} to {progress.DoneSeconds:g6} s");
            done = progress.DoneSeconds;
        }

        if (reported.Count > 0)
        {
            var ids = reported.SelectMany(progress => progress.Segments).Select(segment => segment.Id).ToList();
            Expect.That(ids.SequenceEqual(result.Segments.Select(segment => segment.Id)), "the segments of the progress are not those of the result");
        }
    }

    private static float[] Tone(int rate, double seconds) =>
        [.. Enumerable.Range(0, (int)(rate * seconds)).Select(i => 0.5f * MathF.Sin(2 * MathF.PI * 440 * i / rate))];

    private static float[] Noise(int count)
    {
        var random = new Random(1);
        return [.. Enumerable.Range(0, count).Select(_ => (random.NextSingle() - 0.5f) * 0.5f)];
    }

    /// <summary>Two minutes of silence that cancel a token once the first second has been read.</summary>
    private sealed class CancellingSource(int rate, CancellationTokenSource cancellation) : IAudioSource
    {
        public int SampleRateHz => rate;

        public long? LengthSamples => 120L * rate;

        public IAudioReader OpenReader() => new Reader(this, cancellation);

        private sealed class Reader(CancellingSource source, CancellationTokenSource cancellation) : IAudioReader
        {
            private long _read;

            public int Read(Span<float> destination)
            {
                var count = (int)Math.Min(destination.Length, source.LengthSamples!.Value - _read);
                destination[..count].Clear();
                _read += count;
                if (_read >= source.SampleRateHz)
                {
                    cancellation.Cancel();
                }

                return count;
            }

            public void Dispose()
            {
            }
        }
    }

    /// <summary>Audio that breaks after half a second.</summary>
    private sealed class BrokenSource(int rate) : IAudioSource
    {
        public int SampleRateHz => rate;

        public long? LengthSamples => null;

        public IAudioReader OpenReader() => new Reader(rate / 2);

        private sealed class Reader(int rest) : IAudioReader
        {
            private int _rest = rest;

            public int Read(Span<float> destination)
            {
                if (_rest == 0)
                {
                    throw new AsrException("the audio is broken");
                }

                var count = Math.Min(destination.Length, _rest);
                destination[..count].Clear();
                _rest -= count;
                return count;
            }

            public void Dispose()
            {
            }
        }
    }
}
