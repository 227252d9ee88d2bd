using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Features;
using AsrPlatform.Host.Learning.Data;
using AsrPlatform.Tests;
using AsrPlatform.Whisper.Text;

namespace AsrPlatform.Host.Tests.Learning.Data;

public sealed class DatasetBuilderTests : IDisposable
{
    private const double FeatureTolerance = 5e-5;

    private readonly AudioFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>The whole path of the reference run: audio files and texts to features and labels.</summary>
    [Fact]
    public void Build_FinetuneFixture_GivesHuggingFacesFeaturesAndLabels()
    {
        var data = Build(Fixtures.Path("finetune/train.jsonl"), Options() with { Language = "en" });
        Assert.Equal(6, data.Count);
        Assert.Empty(data.Report.Dropped);
        foreach (var (signal, index) in new[] { ("fox", 0), ("jfk", 4) })
        {
            var features = data.Load(index).Features;
            var expected = FeatureFixture.Read(signal); // [80, 3000]
            Assert.Equal(features.ValidFrames, data.Describe(index).Frames);
            AssertContinuesAsSilence(expected, features);
        }

        // Prefix of specials.json (en, transcribe, no timestamps), the text's ids, end of text.
        var tokenizer = Options().Tokenizer;
        Assert.Equal([50258, 50259, 50359, 50363, .. tokenizer.Encode("I love the naïve café 😀"), 50257], data.Load(3).Labels);
        Assert.Equal("I love the naïve café 😀", data.Load(3).Text);
        Assert.Equal(1100, data.Describe(4).Frames);
    }

    [Fact]
    public void Build_Twice_TakesFeaturesFromTheCache()
    {
        var manifest = ThreeTones();
        var (first, _) = BuildCounting(manifest, Options());
        var (second, cached) = BuildCounting(manifest, Options());
        Assert.Equal(3, cached);
        Assert.Equal(first.Load(2).Features.Values, second.Load(2).Features.Values);

        // Another content under the same name, other settings: not the cached features.
        _folder.Tone("a.wav", hertz: 1234);
        Assert.Equal(2, BuildCounting(manifest, Options()).Cached);
        Assert.Equal(0, BuildCounting(manifest, Options() with { Precision = FeaturePrecision.Half }).Cached);
    }

    [Fact]
    public void Build_CacheDamagedOrEmptied_ComputesAgain()
    {
        var manifest = ThreeTones();
        var data = Build(manifest, Options());
        var values = data.Load(0).Features.Values;
        foreach (var file in Directory.GetFiles(Options().CacheDirectory, "*.feat", SearchOption.AllDirectories))
        {
            var bytes = File.ReadAllBytes(file);
            bytes[^5] ^= 0x40;
            File.WriteAllBytes(file, bytes);
        }

        Assert.Equal(values, data.Load(0).Features.Values);
        Directory.Delete(Options().CacheDirectory, recursive: true);
        Assert.Equal(values, data.Load(0).Features.Values);
        foreach (var file in Directory.GetFiles(Options().CacheDirectory, "*.feat", SearchOption.AllDirectories))
        {
            File.WriteAllBytes(file, File.ReadAllBytes(file)[..^3]);
        }

        Assert.Equal(0, BuildCounting(manifest, Options()).Cached);
    }

    [Fact]
    public void Build_HalfPrecision_IsCloseAndHalfTheSize()
    {
        var manifest = ThreeTones();
        var exact = Build(manifest, Options());
        var half = Build(manifest, Options() with { Precision = FeaturePrecision.Half, CacheDirectory = _folder.File("half") });
        var (first, second) = (exact.Load(1).Features, half.Load(1).Features);
        Assert.All(first.Values.Zip(second.Values), pair => Assert.InRange(Math.Abs(pair.First - pair.Second), 0, 1e-3));
        Assert.NotEqual(first.Values, second.Values);
        Assert.InRange(Size(_folder.File("half")) / (double)Size(Options().CacheDirectory), 0.49, 0.52);
    }

    [Fact]
    public void Build_BadAudioAndLengths_DropsThemWithTheReason()
    {
        _folder.Tone("good.wav", 1).Tone("short.wav", 0.2).Tone("long.wav", 3);
        _folder.Write("noise.wav", "no audio");
        _folder.Write("empty.wav", "");
        var data = Build(
            _folder.Write("m.csv", "audio,text\ngood.wav,fine\nshort.wav,x\nlong.wav,x\nnoise.wav,x\nempty.wav,x\ngood.wav,one two three four five six seven eight nine ten\n"),
            Options() with { MinSeconds = 0.5, MaxSeconds = 2, MaxLabelTokens = 10 });
        Assert.Equal("fine", Assert.Single(Enumerable.Range(0, data.Count).Select(data.Load)).Text);
        Assert.Equal(
            [(3, DropReason.TooShort), (4, DropReason.TooLong), (5, DropReason.UnreadableAudio), (6, DropReason.UnreadableAudio), (7, DropReason.TooManyTokens)],
            data.Report.Dropped.Select(row => (row.Row, row.Reason)));
        Assert.Equal(1, data.Report.KeptSeconds, 6);
    }

    [Fact]
    public void Build_CachedUtterance_StillMeetsTheLimits()
    {
        var manifest = ThreeTones();
        Build(manifest, Options());
        var error = Assert.Throws<AsrException>(() => Build(manifest, Options() with { MaxSeconds = 0.2 }));
        Assert.Contains("none of the 3 rows can be used: 3 × too long", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Build_StretchesOfOneFile_HaveTheFeaturesOfThatStretch()
    {
        // 0.0–0.5 s low, 0.5–1.0 s high.
        var samples = new float[16000];
        for (var index = 0; index < samples.Length; index++)
        {
            samples[index] = (float)Math.Sin(index * (index < 8000 ? 0.1 : 1.0)) / 2;
        }

        AsrPlatform.Host.Audio.WavWriter.Write(_folder.File("both.wav"), samples, 16000);
        AsrPlatform.Host.Audio.WavWriter.Write(_folder.File("second.wav"), samples.AsMemory(8000), 16000);
        var data = Build(
            _folder.Write("m.csv", "audio,text,start,end\nboth.wav,high,0.5,1\nboth.wav,low,0,0.5\nboth.wav,all,,\nsecond.wav,high,,\n"),
            Options());
        Assert.Equal([50, 50, 100, 50], Enumerable.Range(0, 4).Select(index => data.Describe(index).Frames));
        Assert.Equal(data.Load(3).Features.Values, data.Load(0).Features.Values);
        Assert.NotEqual(data.Load(3).Features.Values, data.Load(1).Features.Values);
    }

    [Fact]
    public void Build_LanguagesOfRows_AreTakenWhereKnown()
    {
        _folder.Tone("a.wav");
        var manifest = _folder.Write("m.csv", "audio,text,language\na.wav,x,de\na.wav,x,Klingon\na.wav,x,\n");
        Assert.Equal([50261, 50260, 50260], Build(manifest, Options() with { Language = "zh" }) is var data ? Enumerable.Range(0, 3).Select(index => data.Load(index).Labels[1]) : []);

        var without = Build(manifest, Options());
        Assert.Equal(2, without.Count);
        Assert.Equal((3, DropReason.UnknownLanguage), (without.Report.Dropped[0].Row, without.Report.Dropped[0].Reason));
        Assert.Throws<AsrException>(() => Build(manifest, Options() with { Language = "Klingon" }));
    }

    [Fact]
    public void Build_Timestamps_MarkWhereWordsStartAndEnd()
    {
        _folder.Tone("a.wav", 2);
        var manifest = _folder.Write(
            "m.jsonl",
            """
            {"audio": "a.wav", "text": "x y", "words": [{"word": "x", "start": 0.3, "end": 0.6}, {"word": "y", "start": 0.7, "end": 1.52}]}
            {"audio": "a.wav", "text": "x y"}
            {"audio": "a.wav", "text": "x y", "words": [{"word": "x y", "start": 0.1, "end": 9}]}
            """);
        const int Zero = 50364;
        var always = Build(manifest, Options() with { Language = "en", Timestamps = TimestampLabels.Always });
        Assert.Equal([50258, 50259, 50359, Zero + 15], always.Load(0).Labels[..4]);
        Assert.Equal([Zero + 76, 50257], always.Load(0).Labels[^2..]);
        Assert.Equal((Zero, Zero + 100), (always.Load(1).Labels[3], always.Load(1).Labels[^2]));
        Assert.Equal((Zero + 5, Zero + 100), (always.Load(2).Labels[3], always.Load(2).Labels[^2]));

        var mixed = Build(manifest, Options() with { Language = "en", Timestamps = TimestampLabels.Mixed });
        Assert.Equal([Zero + 15, 50363, Zero + 5], Enumerable.Range(0, 3).Select(index => mixed.Load(index).Labels[3]));
    }

    [Fact]
    public void Build_Segments_HaveTimestampsEachAndAreTheTextWithoutThem()
    {
        _folder.Tone("a.wav", 2);
        var manifest = _folder.Write("m.jsonl", string.Concat(Enumerable.Repeat(
            """{"audio": "a.wav", "text": "one two three", "segments": [{"text": "one two", "start": 0.2, "end": 0.8}, {"text": "three", "start": 1.1, "end": 1.6}]}""" + "\n", 2)));
        const int Zero = 50364;
        var options = Options() with { Language = "en", Timestamps = TimestampLabels.Mixed };
        var data = Build(manifest, options);
        int[] first = options.Tokenizer.Encode("one two");
        int[] second = options.Tokenizer.Encode(" three");
        Assert.Equal([50258, 50259, 50359, Zero + 10, .. first, Zero + 40, Zero + 55, .. second, Zero + 80, 50257], data.Load(0).Labels);
        Assert.Equal([50258, 50259, 50359, 50363, .. options.Tokenizer.Encode("one two three"), 50257], data.Load(1).Labels);

        var upper = Build(manifest, options with { Normalizer = new BasicTextNormalizer(), MaxLabelTokens = data.Load(0).Labels.Length - 1 });
        Assert.Equal(data.Load(0).Labels, upper.Load(0).Labels);
        Assert.Equal(DropReason.TooManyTokens, Build(manifest, options with { MaxLabelTokens = data.Load(0).Labels.Length - 2 }).Report.Dropped[0].Reason);
    }

    [Fact]
    public void Build_Silence_LearnsNoSpeechAndEmptyTranscripts()
    {
        _folder.Tone("a.wav");
        var manifest = _folder.Write("m.jsonl", string.Concat(Enumerable.Repeat("{\"audio\": \"a.wav\", \"text\": \"\", \"silence\": true}\n", 8)));
        var data = Build(manifest, Options() with { Language = "en", Timestamps = TimestampLabels.Mixed });
        var labels = Enumerable.Range(0, 8).Select(index => string.Join(' ', data.Load(index).Labels)).ToList();
        Assert.Equal(6, labels.Count(label => label == "50258 50362 50257"));
        Assert.Contains("50258 50259 50359 50364 50257", labels);
        Assert.Contains("50258 50259 50359 50363 50257", labels);
    }

    [Fact]
    public void Build_Normalizer_ShapesTheText()
    {
        _folder.Tone("a.wav");
        var data = Build(_folder.Write("m.csv", "audio,text\na.wav,\"Hello, WORLD!\"\na.wav,?!\n"), Options() with { Normalizer = new BasicTextNormalizer() });
        Assert.Equal("hello world", data.Describe(0).Text);
        Assert.Equal((3, DropReason.EmptyText), (data.Report.Dropped[0].Row, data.Report.Dropped[0].Reason));
    }

    [Fact]
    public void Build_Cancelled_StopsAndGoesOnLater()
    {
        var manifest = ThreeTones();
        using var cancel = new CancellationTokenSource();
        Assert.ThrowsAny<OperationCanceledException>(() => DatasetBuilder.Build(
            Manifest.Read(manifest), Options() with { Parallelism = 1 }, _ => cancel.Cancel(), cancel.Token));
        Assert.Equal(1, BuildCounting(manifest, Options()).Cached);
    }

    [Fact]
    public void Build_OptionsThatContradict_AreRefused()
    {
        var manifest = ThreeTones();
        Assert.Contains("the model hears 30 s", Assert.Throws<AsrException>(() => Build(manifest, Options() with { MaxSeconds = 31 })).Message, StringComparison.Ordinal);
        Assert.Throws<AsrException>(() => Build(manifest, Options() with { MaxSeconds = 0.05 }));
        Assert.Throws<AsrException>(() => Build(manifest, Options() with { MinSeconds = double.NaN }));
    }

    [Fact]
    public void Build_CacheFolderThatCannotBe_FailsTheRun()
    {
        _folder.Write("file", "");
        Assert.Contains("cache", Assert.Throws<AsrException>(() => Build(ThreeTones(), Options() with { CacheDirectory = _folder.File("file/cache") })).Message, StringComparison.Ordinal);
    }

    /// <summary>Equal where there are features, and the reference goes on with the silence that the contract says.</summary>
    private static void AssertContinuesAsSilence(float[] expected, FeatureMatrix actual)
    {
        var silence = Math.Max(actual.Values.Max() - 2, -1.5f);
        Assert.InRange(actual.Frames, actual.ValidFrames, actual.ValidFrames + 4);
        for (var bin = 0; bin < 80; bin++)
        {
            for (var frame = 0; frame < 3000; frame++)
            {
                var value = frame < actual.Frames ? actual.Values[(bin * actual.Frames) + frame] : silence;
                Assert.Equal(expected[(bin * 3000) + frame], value, FeatureTolerance);
            }
        }
    }

    private static long Size(string folder) => Directory.GetFiles(folder, "*.feat", SearchOption.AllDirectories).Sum(file => new FileInfo(file).Length);

    private static FeatureDataset Build(string manifest, DatasetOptions options) => DatasetBuilder.Build(Manifest.Read(manifest), options);

    private static (FeatureDataset Data, int Cached) BuildCounting(string manifest, DatasetOptions options)
    {
        var last = default(MappingProgress);
        var data = DatasetBuilder.Build(Manifest.Read(manifest), options, progress => last = progress);
        Assert.Equal((last.Total, last.Total), (last.Done, Manifest.Read(manifest).Entries.Count));
        return (data, last.Cached);
    }

    private string ThreeTones()
    {
        _folder.Tone("a.wav", hertz: 300).Tone("b.wav", 0.7, 500).Tone("c.wav", 0.9, 700);
        return _folder.Write("three.csv", "audio,text\na.wav,one\nb.wav,two\nc.wav,three\n");
    }

    private DatasetOptions Options() => DatasetOptions.For(Fixtures.Path("micro"), _folder.File("cache"));
}
