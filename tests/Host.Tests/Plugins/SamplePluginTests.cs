using System.Diagnostics;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Audio;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Host.Plugins;
using AsrPlatform.Host.Tests.Cli;
using AsrPlatform.PluginConformance;
using AsrPlatform.Tests;

namespace AsrPlatform.Host.Tests.Plugins;

/// <summary>samples/KeypadTones, built away from the repository against the assembly of the contract alone.</summary>
public sealed class SamplePluginTests(SamplePluginTests.BuiltSample sample) : IClassFixture<SamplePluginTests.BuiltSample>
{
    private const int Rate = 8000;
    private const string Keys = "123A456B789C*0#D";

    private static readonly double[] Low = [697, 770, 852, 941];
    private static readonly double[] High = [1209, 1336, 1477, 1633];

    [Fact]
    public void Conformance_Sample_Passes()
    {
        var checks = ConformanceSuite.Run(new ConformanceOptions { PluginDirectory = sample.PluginDirectory });

        Assert.All(checks, check => Assert.True(check.Outcome == CheckOutcome.Passed, $"{check.Name}: {check.Detail}"));
        Assert.Contains(checks, check => check.Name == "recognizer: 1 s of a tone");
    }

    [Fact]
    public async Task Transcribe_KeysOfEveryLevel_WritesThemDownWithTheirTimes()
    {
        await using var catalog = sample.Load();
        using var recognizer = catalog.Get<ISpeechRecognizerBackend>("keypad").Load(new ModelLoadOptions());
        var samples = new List<float>();
        var starts = new List<double>();
        var amplitude = 0.5;
        Silence(samples, 0.3);
        foreach (var key in Keys)
        {
            starts.Add((double)samples.Count / Rate);
            Press(samples, key, 0.06, amplitude);
            Silence(samples, 0.05);
            amplitude *= 0.8;
        }

        Silence(samples, 1.5);
        starts.Add((double)samples.Count / Rate);
        Press(samples, '7', 0.3, 0.1);

        var result = recognizer.Transcribe(new MemoryAudioSource(samples.ToArray(), Rate), new TranscriptionOptions { WordTimestamps = true });

        Assert.Equal($"{Keys} 7", result.Text);
        Assert.Equal(2, result.Segments.Count);
        var words = result.Segments.SelectMany(segment => segment.Words!).ToList();
        Assert.Equal(starts.Count, words.Count);
        Assert.All(words.Zip(starts), pair => Assert.InRange(pair.First.Start, pair.Second - 0.015, pair.Second + 0.015));
        Assert.InRange(words[^1].End - words[^1].Start, 0.27, 0.33);
        Assert.All(words, word => Assert.InRange(word.Probability, 0.7, 1));
    }

    [Fact]
    public void Transcribe_WavFileByTheCommandLine_WritesTheKeys()
    {
        var samples = new List<float>();
        foreach (var key in "*31#")
        {
            Press(samples, key, 0.1, 0.5);
            Silence(samples, 0.1);
        }

        var path = Path.Combine(sample.Folder, "keys.wav");
        WriteWav(path, samples);

        Assert.Equal("*31#\n", AsrProcess.Run("transcribe", path, "--backend", "keypad", "--plugins-dir", Path.Combine(sample.Folder, "plugins")).ShouldSucceed());
    }

    [Fact]
    public async Task Transcribe_ShortTonesAndSpeechLikeSound_WritesNothing()
    {
        await using var catalog = sample.Load();
        using var recognizer = catalog.Get<ISpeechRecognizerBackend>("keypad").Load(new ModelLoadOptions());
        var samples = new List<float>();
        foreach (var key in Keys)
        {
            Press(samples, key, 0.02, 0.5);
            Silence(samples, 0.1);
        }

        // A glide with harmonics passes all eight frequencies and is no key.
        for (var i = 0; i < Rate; i++)
        {
            var phase = 2 * Math.PI * i / Rate * (200 + (300.0 * i / Rate));
            samples.Add((float)(0.2 * (Math.Sin(phase) + Math.Sin(2 * phase) + Math.Sin(3 * phase) + Math.Sin(4 * phase))));
        }

        Assert.Equal("", recognizer.Transcribe(new MemoryAudioSource(samples.ToArray(), Rate), new TranscriptionOptions()).Text);
    }

    [Fact]
    public async Task Transcribe_WrongSampleRate_SaysSo()
    {
        await using var catalog = sample.Load();
        using var recognizer = catalog.Get<ISpeechRecognizerBackend>("keypad").Load(new ModelLoadOptions());

        var error = Assert.Throws<AsrException>(() => recognizer.Transcribe(new MemoryAudioSource(new float[160], 16000), new TranscriptionOptions()));

        Assert.Equal("the keypad recognizer takes 8000 Hz, the audio has 16000 Hz", error.Message);
    }

    [Theory]
    [InlineData("0.1", "1 2")]
    [InlineData("3", "12")]
    public async Task Load_Setting_ReachesThePlugin(string gap, string text)
    {
        await using var catalog = sample.Load(("Plugins:keypad-tones:SegmentGapSeconds", gap));
        using var recognizer = catalog.Get<ISpeechRecognizerBackend>().Load(new ModelLoadOptions());
        var samples = new List<float>();
        Press(samples, '1', 0.1, 0.5);
        Silence(samples, 0.5);
        Press(samples, '2', 0.1, 0.5);

        Assert.Equal(text, recognizer.Transcribe(new MemoryAudioSource(samples.ToArray(), Rate), new TranscriptionOptions()).Text);
    }

    [Fact]
    public async Task Load_SettingThatCannotBe_IsAStatusWithTheRemedy()
    {
        await using var catalog = sample.Load(("Plugins:keypad-tones:SegmentGapSeconds", "-1"));

        var status = Assert.Single(catalog.Statuses);
        Assert.Equal(PluginState.Failed, status.State);
        Assert.Equal("SegmentGapSeconds is -1; it must be above 0", status.Reason);
        Assert.Equal("correct Plugins:keypad-tones:SegmentGapSeconds", status.Remedy);
    }

    private static void Press(List<float> samples, char key, double seconds, double amplitude)
    {
        var (low, high) = (Low[Keys.IndexOf(key) / 4], High[Keys.IndexOf(key) % 4]);
        for (var i = 0; i < seconds * Rate; i++)
        {
            samples.Add((float)(amplitude / 2 * (Math.Sin(2 * Math.PI * low * i / Rate) + Math.Sin(2 * Math.PI * high * i / Rate))));
        }
    }

    /// <summary>PCM of 16 bits, mono.</summary>
    private static void WriteWav(string path, List<float> samples)
    {
        using var writer = new BinaryWriter(File.Create(path));
        writer.Write("RIFF"u8);
        writer.Write(36 + (2 * samples.Count));
        writer.Write("WAVEfmt "u8);
        writer.Write(16);
        writer.Write((short)1);
        writer.Write((short)1);
        writer.Write(Rate);
        writer.Write(2 * Rate);
        writer.Write((short)2);
        writer.Write((short)16);
        writer.Write("data"u8);
        writer.Write(2 * samples.Count);
        foreach (var value in samples)
        {
            writer.Write((short)(value * short.MaxValue));
        }
    }

    private static void Silence(List<float> samples, double seconds) => samples.AddRange(new float[(int)(seconds * Rate)]);

    /// <summary>Builds the sample once, in a folder that nothing of the repository reaches.</summary>
    public sealed class BuiltSample : IDisposable
    {
        private readonly string _folder = Directory.CreateTempSubdirectory("asr-sample-").FullName;

        public BuiltSample()
        {
            var source = Path.Combine(Fixtures.RepositoryRoot, "samples", "KeypadTones");
            var project = Directory.CreateDirectory(Path.Combine(_folder, "source")).FullName;
            foreach (var file in Directory.EnumerateFiles(source))
            {
                File.Copy(file, Path.Combine(project, Path.GetFileName(file)));
            }

            PluginDirectory = Path.Combine(_folder, "plugins", "keypad-tones");
            var start = new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet")
            {
                WorkingDirectory = project,
                RedirectStandardOutput = true,
            };
            foreach (var argument in (string[])["build", "-nologo", "-v", "quiet", "-c", "Release", "-nodeReuse:false", $"-p:AsrPlatform={AppContext.BaseDirectory}", "-o", PluginDirectory])
            {
                start.ArgumentList.Add(argument);
            }

            // The test runner's own MSBuild settings are not the sample's.
            foreach (var name in start.Environment.Keys.Where(name => name.StartsWith("MSBuild", StringComparison.OrdinalIgnoreCase)).ToList())
            {
                start.Environment.Remove(name);
            }

            using var process = Process.Start(start)!;
            var output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            Assert.True(process.ExitCode == 0, output);
        }

        public string PluginDirectory { get; }

        public string Folder => _folder;

        internal PluginCatalog Load(params (string Key, string Value)[] settings) =>
            PluginCatalog.Load(
                new PluginHostOptions { Directory = Path.Combine(_folder, "plugins"), SharedDirectory = Path.Combine(_folder, "shared") },
                PluginsFolder.Configuration(settings));

        public void Dispose() => Directory.Delete(_folder, recursive: true);
    }
}
