using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Audio;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Whisper.Decoding;
using AsrPlatform.Whisper.Decoding.HuggingFace;

namespace AsrPlatform.Whisper.Tests.Decoding.HuggingFace;

public sealed class ChunkedDecoderTests(MicroRecognizer micro) : IClassFixture<MicroRecognizer>
{
    private const int Rate = 16000;

    [Theory]
    [InlineData(false, 1, null, null)]
    [InlineData(false, 4, 20.0, 3.0)]
    [InlineData(true, 3, null, null)]
    public void Transcribe_LongFile_GivesTheWordsOfTheSequentialAlgorithm(bool withoutTimestamps, int batchSize, double? chunk, double? stride)
    {
        using var model = new ToneModel(micro.Parts.Model.Info);
        using var recognizer = micro.With(model);
        var audio = ToneModel.Audio(seconds: 137);
        var sequential = recognizer.Transcribe(audio, HuggingFaceDecoder.Defaults with { Language = "en" });
        Assert.Equal(137, sequential.Segments.Sum(segment => segment.Tokens.Count(token => token < micro.Parts.Tokenizer.EndOfText)));
        var chunked = recognizer.Transcribe(audio, ChunkedDecoder.Defaults with
        {
            Language = "en",
            WithoutTimestamps = withoutTimestamps,
            BatchSize = batchSize,
            ChunkLengthSeconds = chunk,
            StrideLengthSeconds = stride,
        });
        Assert.Equal(sequential.Text, chunked.Text);
        Assert.Equal(137, chunked.DurationSeconds);
        Assert.All(chunked.Segments.Zip(chunked.Segments.Skip(1)), pair => Assert.True(pair.First.End <= pair.Second.Start + 1e-9, $"{pair.First.End} > {pair.Second.Start}"));
        if (withoutTimestamps)
        {
            // A segment a window, each up to the middle of what it shares with the next.
            Assert.Equal([25, 45, 65, 85, 105, 125, 137], chunked.Segments.Select(segment => segment.End));
        }
        else if (chunk is null)
        {
            // Windows begin where the model's segments do.
            Assert.Equal(sequential.Segments.Select(segment => segment.Start), chunked.Segments.Select(segment => segment.Start));
            Assert.Equal(sequential.Segments.Select(segment => segment.End), chunked.Segments.Select(segment => segment.End));
        }

        Assert.Equal(batchSize, model.LargestBatch);
    }

    [Fact]
    public void TranscribeMany_FilesOfAllLengths_EqualsEachAlone()
    {
        using var model = new ToneModel(micro.Parts.Model.Info);
        using var recognizer = micro.With(model);
        var options = ChunkedDecoder.Defaults with { Language = "en", BatchSize = 4 };
        IAudioSource[] files = [ToneModel.Audio(3), ToneModel.Audio(70, first: 11), new Broken(), ToneModel.Audio(30, first: 5), new MemoryAudioSource(Array.Empty<float>(), Rate), ToneModel.Audio(1)];
        var done = new List<(int Index, FileTranscription File)>();
        Assert.True(recognizer.BatchesFiles(options));
        recognizer.TranscribeMany(files, options, (index, file) => done.Add((index, file)));

        Assert.Equal(Enumerable.Range(0, files.Length), done.Select(file => file.Index));
        Assert.Equal("It broke.", done[2].File.Error!.Message);
        Assert.Contains("no samples", done[4].File.Error!.Message, StringComparison.Ordinal);
        foreach (var index in (int[])[0, 1, 3, 5])
        {
            var alone = recognizer.Transcribe(files[index], options with { BatchSize = 1 });
            Assert.Equal(alone.Text, done[index].File.Result!.Text);
            Assert.Equal(alone.DurationSeconds, done[index].File.Result!.DurationSeconds);
            Assert.Equal("base", done[index].File.Result!.AdapterVersion);
        }

        // Windows: 1, 3, 1, 1, besides one of the file that breaks in its second.
        Assert.Equal(4, model.LargestBatch);
    }

    [Fact]
    public void TranscribeMany_SequentialAlgorithm_IsRefused()
    {
        Assert.False(micro.Recognizer.BatchesFiles(HuggingFaceDecoder.Defaults with { BatchSize = 4 }));
        var error = Assert.Throws<AsrException>(() => micro.Recognizer.TranscribeMany([], HuggingFaceDecoder.Defaults, (_, _) => { }));
        Assert.Contains("--algorithm chunked", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Transcribe_Progress_TellsEachSegmentOnceAndComesToTheEnd()
    {
        using var model = new ToneModel(micro.Parts.Model.Info);
        using var recognizer = micro.With(model);
        var reports = new List<TranscriptionProgress>();
        var result = recognizer.Transcribe(ToneModel.Audio(100), ChunkedDecoder.Defaults with { Language = "en", BatchSize = 2 }, reports.Add);
        Assert.Equal(result.Segments, reports.SelectMany(report => report.Segments));
        Assert.True(reports.Count > 2);
        Assert.Equal(reports.Select(report => report.DoneSeconds).Order(), reports.Select(report => report.DoneSeconds));
        Assert.Equal(100, reports[^1].DoneSeconds, 1e-6);
        Assert.All(reports, report => Assert.Equal(100, report.TotalSeconds));
    }

    [Fact]
    public void Transcribe_Cancelled_Stops()
    {
        using var model = new ToneModel(micro.Parts.Model.Info);
        using var recognizer = micro.With(model);
        using var source = new CancellationTokenSource();
        Assert.ThrowsAny<OperationCanceledException>(() =>
            recognizer.Transcribe(ToneModel.Audio(100), ChunkedDecoder.Defaults with { Language = "en" }, _ => source.Cancel(), source.Token));
    }

    public static TheoryData<TranscriptionOptions, string> BadOptions => new()
    {
        { ChunkedDecoder.Defaults with { StrideLengthSeconds = 15 }, "The stride is 15 s on each side of chunks of 30 s: give less than half" },
        { ChunkedDecoder.Defaults with { ChunkLengthSeconds = 8, StrideLengthSeconds = 5 }, "less than half" },
        { ChunkedDecoder.Defaults with { StrideLengthSeconds = -1 }, "expected 0 or more" },
        { ChunkedDecoder.Defaults with { ChunkLengthSeconds = 31 }, "the model hears 30 s at once" },
        { ChunkedDecoder.Defaults with { ChunkLengthSeconds = 0 }, "chunk length is 0" },
        { ChunkedDecoder.Defaults with { BatchSize = 0 }, "batch size is 0" },
        { ChunkedDecoder.Defaults with { BestOf = 3 }, "--algorithm chunked knows neither --best-of" },
        { ChunkedDecoder.Defaults with { ClipTimestamps = [1, 2] }, "clip timestamps" },
    };

    [Theory]
    [MemberData(nameof(BadOptions), DisableDiscoveryEnumeration = true)]
    public void Transcribe_BadOption_SaysWhatIsWrong(TranscriptionOptions options, string expected)
    {
        using var model = new ToneModel(micro.Parts.Model.Info);
        using var recognizer = micro.With(model);
        var error = Assert.Throws<AsrException>(() => recognizer.Transcribe(ToneModel.Audio(3), options));
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
        Assert.Equal(0, model.LargestBatch);
    }

    [Theory]
    [InlineData(99, 100, 30, 1)]
    [InlineData(100, 100, 30, 1)]
    [InlineData(101, 100, 30, 2)]
    [InlineData(141, 100, 30, 3)]
    [InlineData(300, 100, 0, 3)]
    public void Chunks_OfALength_OverlapAndEnd(int samples, int length, int stride, int expected)
    {
        var signal = Enumerable.Range(0, samples).Select(index => (float)index).ToArray();
        using var chunks = new AudioChunks(new Dribble(signal), length, stride);
        var (count, start) = (0, 0);
        while (chunks.Next(default) is { } chunk)
        {
            Assert.Equal(signal[start..Math.Min(samples, start + length)], chunk.Samples.ToArray());
            Assert.Equal(start == 0 ? 0 : stride, chunk.StrideLeft);
            Assert.Equal(start + length >= samples ? 0 : stride, chunk.StrideRight);
            start += length - (2 * stride);
            count++;
        }

        Assert.Equal(expected, count);
        Assert.Equal(samples, chunks.SampleCount);
    }

    // Breaks in its second window.
    private sealed class Broken : IAudioSource
    {
        public int SampleRateHz => Rate;

        public long? LengthSamples => null;

        public IAudioReader OpenReader() => new Reader();

        private sealed class Reader : IAudioReader
        {
            private int _read;

            public int Read(Span<float> destination)
            {
                if (_read > 40 * Rate)
                {
                    throw new AsrException("It broke.");
                }

                destination.Clear();
                _read += destination.Length;
                return destination.Length;
            }

            public void Dispose()
            {
            }
        }
    }

    // Gives a few samples at a time, of a length that it does not say.
    private sealed class Dribble(float[] samples) : IAudioSource, IAudioReader
    {
        private int _place;

        public int SampleRateHz => Rate;

        public long? LengthSamples => null;

        public IAudioReader OpenReader() => this;

        public int Read(Span<float> destination)
        {
            var count = Math.Min(Math.Min(7, destination.Length), samples.Length - _place);
            samples.AsSpan(_place, count).CopyTo(destination);
            _place += count;
            return count;
        }

        public void Dispose()
        {
        }
    }
}
