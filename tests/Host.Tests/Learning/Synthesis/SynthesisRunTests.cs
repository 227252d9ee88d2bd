using System.Security.Cryptography;
using System.Text.Json;
using AsrPlatform.Abstractions;
using AsrPlatform.Host.Audio;
using AsrPlatform.Host.Learning.Data;
using AsrPlatform.Host.Learning.Synthesis;
using AsrPlatform.Host.Tests.Cli;
using AsrPlatform.Tests;

namespace AsrPlatform.Host.Tests.Learning.Synthesis;

public sealed class SynthesisRunTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Run_SameSeed_MakesTheSameFilesOnAnyNumberOfThreads()
    {
        var plan = SynthesisPlan.Make(Options());
        Run(plan, "one", 1);
        Run(SynthesisPlan.Make(Options()), "two", 4);
        var names = Directory.GetFiles(_folder.File("one"), "*.wav").Select(path => Path.GetFileName(path)!).ToList();
        Assert.Equal(plan.Count, names.Count);
        Assert.All(names, name => Assert.Equal(File.ReadAllBytes(_folder.File("one/" + name)), File.ReadAllBytes(_folder.File("two/" + name))));
        Assert.Equal(File.ReadAllText(_folder.File("one/manifest.jsonl")), File.ReadAllText(_folder.File("two/manifest.jsonl")));
        Assert.NotEqual(plan.Select(clip => clip.FileName), SynthesisPlan.Make(Options() with { Seed = 8 }).Select(clip => clip.FileName));
    }

    [Fact]
    public void Run_Manifest_IsReadAsOneWithWordsAndSilence()
    {
        var result = Run(SynthesisPlan.Make(Options() with { SilenceShare = 0.5 }), "out", 2);
        var manifest = Manifest.Read(result.ManifestPath);
        Assert.Empty(manifest.Dropped);
        Assert.Equal(9, manifest.Entries.Count);
        Assert.Equal(3, manifest.Entries.Count(entry => entry.IsSilence));
        var spoken = manifest.Entries[0];
        Assert.Equal(["red", "green"], spoken.Words.Select(word => word.Word));
        Assert.Equal("fake:low", spoken.Speaker);

        // The fake says each word for 0.2 s; padding comes before it.
        var before = SynthesisPlan.Make(Options())[0].Before;
        Assert.Equal(before + 0.2, spoken.Words[0].End, 0.011);
        Assert.Equal(before + 0.4, spoken.Words[1].End, 0.011);
        using var file = AudioFile.Open(spoken.AudioPath);
        Assert.True(file.LengthSamples / 16000.0 >= spoken.Words[1].End);
    }

    [Fact]
    public void Run_Joined_SaysSeveralUtterancesInOneClipAndWhen()
    {
        var options = Options() with
        {
            CountPerText = 1,
            Join = Spread.Parse("3", "", 1, 5),
            Gaps = Spread.Parse("0.5", "", 0, 1),
            Padding = Spread.Parse("0.2", "", 0, 1),
        };
        var clip = Assert.Single(Manifest.Read(Run(SynthesisPlan.Make(options), "out", 1).ManifestPath).Entries);
        Assert.Equal("red green blue one two three", clip.Text);
        Assert.Equal(["red green", "blue", "one two three"], clip.Segments.Select(segment => segment.Text));
        Assert.Equal([0.2, 1.1, 1.8], clip.Segments.Select(segment => segment.Start).ToArray(), new Close());
        Assert.Equal([0.6, 1.3, 2.4], clip.Segments.Select(segment => segment.End).ToArray(), new Close());
        Assert.Equal(["red", "green", "blue", "one", "two", "three"], clip.Words.Select(word => word.Word));
        Assert.Equal(1.1, clip.Words[2].Start, 0.011);

        // What does not fit is left out, and so is what would come after it.
        var shorter = Assert.Single(Manifest.Read(Run(SynthesisPlan.Make(options with { JoinSeconds = 2 }), "short", 1).ManifestPath).Entries);
        Assert.Equal("red green blue", shorter.Text);
        using var file = AudioFile.Open(shorter.AudioPath);
        Assert.Equal(1.5, file.LengthSamples!.Value / 16000.0, 0.25);
    }

    [Fact]
    public void Run_Stopped_GoesOnWithoutMakingClipsAgain()
    {
        var plan = SynthesisPlan.Make(Options());
        var fake = new FakeSynthesizer();
        using var cancel = new CancellationTokenSource();
        var run = new SynthesisRun([fake], _folder.File("out"), 1);
        Assert.ThrowsAny<OperationCanceledException>(() => run.Run(plan, (done, _) => Cancel(done), cancel.Token));
        Assert.False(File.Exists(_folder.File("out/manifest.jsonl")));
        File.AppendAllText(_folder.File("out/progress.jsonl"), "{\"audio\": \"half a li");
        fake.Spoken = 0;
        Assert.Equal(6, run.Run(plan, null, CancellationToken.None).Clips);
        Assert.Equal(4, fake.Spoken);
        Assert.Equal(6, File.ReadLines(_folder.File("out/manifest.jsonl")).Count());
        fake.Spoken = 0;
        run.Run(plan, null, CancellationToken.None);
        Assert.Equal(0, fake.Spoken);
        void Cancel(int done)
        {
            if (done == 2)
            {
                cancel.Cancel();
            }
        }
    }

    [Fact]
    public void Run_ClipsThatFail_AreCountedUnlessAllDo()
    {
        var result = Run(SynthesisPlan.Make(Options() with { Texts = ["fine", "fail"] }), "some", 1);
        Assert.Equal((2, 2), (result.Clips, result.Failed.Count));
        Assert.Contains("cannot say", result.Failed.Reason, StringComparison.Ordinal);
        Assert.Contains("cannot say", Assert.Throws<AsrException>(() => Run(SynthesisPlan.Make(Options() with { Texts = ["fail"] }), "none", 1)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Choose_Names_AreVoicesOrRefused()
    {
        ISpeechSynthesizer[] all = [new FakeSynthesizer()];
        Assert.Equal(["low", "high"], SpeechSynthesizers.Choose(all, "fake", "en").Select(voice => voice.Name));
        Assert.Equal(["high"], SpeechSynthesizers.Choose(all, "fake:hi*", "en").Select(voice => voice.Name));
        Assert.Equal(["hoch"], SpeechSynthesizers.Choose(all, "all", "de").Select(voice => voice.Name));
        Assert.Contains("no voice 'fake:nobody'", Assert.Throws<AsrException>(() => SpeechSynthesizers.Choose(all, "low,fake:nobody", "en")).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(7, "seven")]
    [InlineData(42, "forty two")]
    [InlineData(310, "three hundred and ten")]
    [InlineData(2005, "two thousand and five")]
    [InlineData(99999, "ninety nine thousand nine hundred and ninety nine")]
    public void Number_Value_IsSaidInWords(int value, string words) => Assert.Equal(words, TextGenerator.Number(value));

    [Fact]
    public void Generate_NumbersAndDates_NeedNothingInstalled()
    {
        var texts = new TextGenerator(1).Make(200, ["numbers", "dates"]);
        Assert.Equal(texts, new TextGenerator(1).Make(200, ["numbers", "dates"]));
        Assert.All(texts, text => Assert.Matches("^[a-z' ]+$", text));
        Assert.True(texts.Distinct().Count() > 180);
        Assert.Throws<AsrException>(() => new TextGenerator(1).Make(1, ["poems"]));
    }

    /// <summary>What is installed speaks, with voices that differ and word times that add up.</summary>
    [Theory]
    [InlineData("espeak-ng", "espeak-ng:en-gb,espeak-ng:en-gb+f3")]
    [InlineData("flite", "flite:kal16,flite:rms")]
    [InlineData("festival", "festival")]
    public void Synthesize_InstalledProgram_SpeaksWithWordTimes(string program, string voices)
    {
        if (!(SynthesizersHere().FirstOrDefault(synthesizer => synthesizer.Name == program)?.Voices.Count > 0))
        {
            Assert.Skip($"{program} is not installed");
        }

        _folder.Write("texts.txt", "seven yellow lions\n");
        var output = AsrProcess.Run(
            "synthesize", "--texts", _folder.File("texts.txt"), "--voices", voices, "--count-per-text", "6", "--word-times", "--padding", "0.2", "--pitches", "1,1.1", "--output-dir", _folder.File("out"), "--quiet").ShouldSucceed();
        var rows = File.ReadLines(output.Trim()).Select(line => JsonDocument.Parse(line).RootElement).ToList();
        Assert.Equal(6, rows.Count);
        Assert.All(rows, row =>
        {
            var words = row.GetProperty("words").EnumerateArray().Select(word => (Start: word.GetProperty("start").GetDouble(), End: word.GetProperty("end").GetDouble())).ToList();
            Assert.Equal(3, words.Count);
            Assert.True(words[0].Start >= 0.2);
            Assert.All(words, word => Assert.InRange(word.End - word.Start, 0.1, 1));
            Assert.True(words[0].End <= words[1].Start + 0.02 && words[1].End <= words[2].Start + 0.02);
            Assert.InRange(row.GetProperty("duration").GetDouble() - words[2].End, 0.1, 0.9);
        });
        Assert.True(rows.Select(row => row.GetProperty("duration").GetDouble()).Distinct().Count() > 1);
    }

    [Theory]
    [InlineData("pico", "pico2wave")]
    [InlineData("rhvoice", "RHVoice-test")]
    public void Synthesize_PicoAndRhVoice_SpeakByTheirOptionsAndKnowNoWords(string name, string program)
    {
        if (SynthesizersHere().FirstOrDefault(synthesizer => synthesizer.Name == name) is not { } found || !found.Voices.Any(voice => voice.Language == "en"))
        {
            Assert.Skip($"{program} is not installed, or has no English voice");
            return;
        }

        var voice = found.Voices.First(voice => voice.Language == "en");
        var plain = Say(1, 1);
        Assert.Empty(plain.Words);
        Assert.InRange(plain.Samples.Max(), 0.05f, 1f);
        Assert.Equal(plain.Samples, Say(1, 1).Samples);
        Assert.True(Say(1.4, 1).Samples.Length < 0.9 * plain.Samples.Length);
        Assert.InRange(Say(1, 1.2).Samples.Length / (double)plain.Samples.Length, 0.9, 1.1);

        SpokenUtterance Say(double rate, double pitch) =>
            found.Speak(new SpeechRequest("seven <yellow> lions", voice, rate, pitch, WordTimes: true), _folder.Root, TestContext.Current.CancellationToken);
    }

    [Fact]
    public void FindVoices_OfRhVoice_TakesThoseWhoseLanguageHasACode()
    {
        foreach (var (name, info) in (IEnumerable<(string, string)>)[("clb", "name=Clb\nlanguage=English\ngender=female\n"), ("anna", "language=Russian\n"), ("spomenka", "language=Esperanto\n"), ("broken", "")])
        {
            File.WriteAllText(Path.Combine(Directory.CreateDirectory(Path.Combine(_folder.Root, name)).FullName, "voice.info"), info);
        }

        var voices = RhVoiceSynthesizer.FindVoices([_folder.Root, Path.Combine(_folder.Root, "none")]);
        Assert.Equal([("anna", "ru"), ("clb", "en")], voices.Select(voice => (voice.Id, voice.Language)));
    }

    [Fact]
    public void Synthesize_SpeakerOfAnotherLanguage_ReadsEnglishWithWordTimes()
    {
        var festival = SynthesizersHere().FirstOrDefault(synthesizer => synthesizer.Name == "festival");
        if (festival?.Voices.FirstOrDefault(voice => voice.Name.EndsWith(ForeignSpeaker.Suffix, StringComparison.Ordinal)) is not { } voice)
        {
            Assert.Skip("festival has no voice of another language");
            return;
        }

        Assert.Equal("en", voice.Language);
        Assert.NotEqual("en", festival.Voices.Single(own => own.Name == voice.Name[..^ForeignSpeaker.Suffix.Length]).Language);
        var spoken = festival.Speak(new SpeechRequest("seven yellow lions", voice, 1, 1, WordTimes: true), _folder.Root, TestContext.Current.CancellationToken);
        Assert.Equal(["seven", "yellow", "lions"], spoken.Words.Select(word => word.Word));
        Assert.All(spoken.Words, word => Assert.InRange(word.End - word.Start, 0.1, 1));
        Assert.InRange(spoken.Samples.Length / 16000.0, spoken.Words[^1].End, spoken.Words[^1].End + 2);
        Assert.InRange(spoken.Samples.Max(), 0.01f, 1f);
        (festival as IDisposable)?.Dispose();
    }

    [Fact]
    public void ForeignSpeaker_Translate_GivesTheVoicesPhonesWithTheirTimesAndPitches()
    {
        // "how" in Italian: no h, and a diphthong in two phones. Pitches are a woman's.
        var phones = ForeignSpeaker.Find("lp_diphone@en")!.Translate(["S\tpau\t0.2", "S\thh\t0.25\t0.2\t100", "noise", "S\taw\t0.45\t0.27\t110\t0.4\t90", "T", "W\t0.2\t0.45"]);
        Assert.Equal("(# 0.25 (0.2 180))(a 0.1 (0.02 198))(u 0.1 (0.05 162))", phones);
        Assert.Null(ForeignSpeaker.Find("kal_diphone"));
    }

    [Fact]
    public void Synthesize_InventedVoices_AreSpeakersOfTheirOwnByTheSeed()
    {
        if (SynthesizersHere().All(synthesizer => synthesizer.Name != "espeak-ng"))
        {
            Assert.Skip("espeak-ng is not installed");
        }

        _folder.Write("texts.txt", string.Concat(Enumerable.Repeat("seven yellow lions\n", 8)));
        var one = Invent("one", seed: 3);
        Assert.Equal(one.Select(clip => clip.Hash), Invent("again", seed: 3).Select(clip => clip.Hash));
        Assert.Empty(one.Select(clip => clip.Hash).Intersect(Invent("other", seed: 4).Select(clip => clip.Hash)));
        Assert.All(one, clip => Assert.Matches("^invented:[0-2]$", clip.Speaker));

        // One voice says a text in one way, another one in another way.
        Assert.Equal(3, one.Select(clip => clip.Speaker).Distinct().Count());
        Assert.Equal(3, one.Select(clip => clip.Hash).Distinct().Count());
        Assert.All(one, clip => Assert.Equal(3, clip.Words));
        AsrProcess.Run("synthesize", "--texts", _folder.File("texts.txt"), "--output-dir", _folder.File("none"), "--invent-voices", "-1").ShouldFailWith("--invent-voices: give 1 to");

        List<(string Speaker, string Hash, int Words)> Invent(string folder, int seed) =>
        [
            .. File.ReadLines(AsrProcess.Run(
                    "synthesize", "--texts", _folder.File("texts.txt"), "--invent-voices", "3", "--voices", "invented", "--seed", $"{seed}", "--word-times", "--padding", "0", "--levels=-3",
                    "--output-dir", _folder.File(folder), "--quiet").ShouldSucceed().Trim())
                .Select(line => JsonDocument.Parse(line).RootElement)
                .Select(row => (
                    row.GetProperty("speaker").GetString()!,
                    Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(_folder.File($"{folder}/{row.GetProperty("audio").GetString()}")))),
                    row.GetProperty("words").GetArrayLength())),
        ];
    }

    [Fact]
    public void InventedVoice_OfASeed_IsTheSame_AndNoneIsScotlands()
    {
        var voices = Enumerable.Range(0, 500).Select(InventedVoice.Make).ToList();
        Assert.Equal(voices, Enumerable.Range(0, 500).Select(InventedVoice.Make));
        Assert.Equal(500, voices.Distinct().Count());
        Assert.DoesNotContain(voices, voice => voice.Accent.Contains("scotland", StringComparison.OrdinalIgnoreCase));
        Assert.True(voices.Select(voice => voice.Accent).Distinct().Count() > 5);

        // No voice replaces more phonemes than espeak-ng takes (N_REPLACE_PHONEMES), the accent's own among them.
        Assert.All(voices, voice => Assert.InRange(voice.Definition.Split('\n').Count(line => line.StartsWith("replace", StringComparison.Ordinal)), 0, 54));
    }

    [Fact]
    public void Synthesize_VoiceThatIsNone_IsRefused()
    {
        if (SynthesizersHere().Count == 0)
        {
            AsrProcess.Run("synthesize", "--generate", "1", "--output-dir", _folder.File("out")).ShouldFailWith("apt-get install espeak-ng flite");
            return;
        }

        AsrProcess.Run("synthesize", "--generate", "1", "--kinds", "numbers", "--output-dir", _folder.File("out"), "--voices", "en-gb+nobody").ShouldFailWith("no voice 'en-gb+nobody'");
    }

    private static IReadOnlyList<ISpeechSynthesizer> SynthesizersHere()
    {
        try
        {
            return SpeechSynthesizers.FindAll();
        }
        catch (AsrException)
        {
            return [];
        }
    }

    private static SynthesisOptions Options() => new()
    {
        Texts = ["red green", "blue", "one two three"],
        Voices = [new SpeechVoice("fake", "low", "low", "en")],
        CountPerText = 2,
        Rates = Spread.Parse("1", "", 0, 2),
        Pitches = Spread.Parse("0.9..1.1", "", 0, 2),
        SignalToNoise = Spread.Parse("10..20", "", 0, 50),
        Reverberation = Spread.Parse("0.2", "", 0, 1),
        CleanShare = 0.3,
        TelephoneShare = 0.3,
        Levels = Spread.Parse("-6", "", -60, 0),
        Padding = Spread.Parse("0.1..0.3", "", 0, 1),
        Seed = 7,
        WordTimes = true,
    };

    private SynthesisResult Run(IReadOnlyList<PlannedClip> plan, string folder, int jobs) =>
        new SynthesisRun([new FakeSynthesizer()], _folder.File(folder), jobs).Run(plan, null, CancellationToken.None);

    private sealed class Close : IEqualityComparer<double>
    {
        public bool Equals(double x, double y) => Math.Abs(x - y) < 0.011;

        public int GetHashCode(double value) => 0;
    }

    /// <summary>Says each word as a tone of 0.2 s.</summary>
    private sealed class FakeSynthesizer : ISpeechSynthesizer
    {
        public string Name => "fake";

        public int Spoken { get; set; }

        public IReadOnlyList<SpeechVoice> Voices { get; } = [new("fake", "low", "low", "en"), new("fake", "high", "high", "en"), new("fake", "hoch", "hoch", "de")];

        public SpokenUtterance Speak(SpeechRequest request, string temporaryFolder, CancellationToken cancellationToken)
        {
            Assert.True(Directory.Exists(temporaryFolder));
            if (request.Text == "fail")
            {
                throw new AsrException($"the fake cannot say '{request.Text}'");
            }

            Spoken += request.WordTimes ? 1 : 0;
            var words = request.Text.Split(' ');
            var samples = Enumerable.Range(0, words.Length * 3200).Select(index => (float)Math.Sin(index * 0.2 * request.Pitch)).ToArray();
            return new SpokenUtterance(samples, [.. words.Select((word, index) => new TimedWord(word, 0.2 * index, 0.2 * (index + 1)))]);
        }
    }
}
