using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Audio;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Tests;
using AsrPlatform.Whisper;
using AsrPlatform.WhisperTorch;
using static AsrPlatform.LoraAdapter.Tests.TrainerFixtures;

namespace AsrPlatform.LoraAdapter.Tests;

/// <summary>A recogniser with several adapters: each request chooses.</summary>
public sealed class RecognizerTests
{
    private const string Loud = """{"target_modules": "all-linear", "init_lora_weights": false, "lora_alpha": 400}""";
    private const string Still = """{"target_modules": "all-linear"}""";

    [Fact]
    public void Transcribe_WithAnAdapterForEachRequest_UsesThatAdapter()
    {
        using var recognizer = Load();
        recognizer.AddAdapter(Provider.Create(recognizer.Parts.Model, "loud", Loud, 1));
        recognizer.AddAdapter(Provider.Create(recognizer.Parts.Model, "still", Still, 1));
        Assert.Equal("base", recognizer.Info.AdapterVersion);
        Assert.Equal(["loud", "still"], recognizer.Info.Adapters);
        var plain = Transcribe(recognizer, null);
        Assert.Equal("base", plain.AdapterVersion);
        var still = Transcribe(recognizer, "still");
        Assert.Equal(("still", plain.Text), (still.AdapterVersion, still.Text));
        var loud = Transcribe(recognizer, "loud");
        Assert.Equal("loud", loud.AdapterVersion);
        Assert.NotEqual(plain.Text, loud.Text);

        recognizer.UseAdapter("loud");
        Assert.Equal("loud", recognizer.Info.AdapterVersion);
        Assert.Equal(loud.Text, Transcribe(recognizer, null).Text);
        Assert.Equal(loud.Text, Transcribe(recognizer, "active").Text);
        Assert.Equal(("base", plain.Text), (Transcribe(recognizer, "none").AdapterVersion, Transcribe(recognizer, "none").Text));

        recognizer.RemoveAdapter("loud");
        Assert.Equal(("base", plain.Text), (recognizer.Info.AdapterVersion, Transcribe(recognizer, null).Text));
        Assert.Equal(["still"], recognizer.Info.Adapters);
    }

    [Fact]
    public void Transcribe_WithAnAdapterThatThereIsNot_NamesThoseThatThereAre()
    {
        using var recognizer = Load();
        Assert.Contains("none is loaded", Assert.Throws<AsrException>(() => Transcribe(recognizer, "mine")).Message, StringComparison.Ordinal);
        recognizer.AddAdapter(Provider.Create(recognizer.Parts.Model, "still", Still, 1));
        Assert.Contains("loaded are still", Assert.Throws<AsrException>(() => Transcribe(recognizer, "mine")).Message, StringComparison.Ordinal);
        Assert.Throws<AsrException>(() => recognizer.UseAdapter("mine"));
        Assert.Throws<AsrException>(() => recognizer.RemoveAdapter("mine"));
    }

    [Theory]
    [InlineData("still")]
    [InlineData("base")]
    [InlineData("none")]
    [InlineData("active")]
    public void AddAdapter_UnderANameThatIsTaken_IsRefused(string name)
    {
        using var recognizer = Load();
        recognizer.AddAdapter(Provider.Create(recognizer.Parts.Model, "still", Still, 1));
        using var other = Provider.Create(recognizer.Parts.Model, name, Still, 1);
        Assert.Throws<AsrException>(() => recognizer.AddAdapter(other));
    }

    [Fact]
    public void Dispose_OfARecognizer_FreesItsAdapters()
    {
        var before = Tensor.TotalCount;
        using (var recognizer = Load())
        {
            recognizer.AddAdapter(Provider.Create(recognizer.Parts.Model, "loud", Loud, 1));
            Transcribe(recognizer, "loud");
        }

        Assert.Equal(before, Tensor.TotalCount);
    }

    private static WhisperRecognizer Load() => WhisperRecognizer.Load(
        new TorchBackend(new WhisperTorchOptions()),
        new ModelLoadOptions { ModelDirectory = Fixtures.Path("micro"), Device = "cpu", Threads = 1 });

    private static TranscriptionResult Transcribe(WhisperRecognizer recognizer, string? adapter)
    {
        var samples = WavFixture.Read("audio/fox.wav");
        return recognizer.Transcribe(
            new MemoryAudioSource(samples, 16000),
            new TranscriptionOptions { Adapter = adapter, Language = "en", TemperatureIncrementOnFallback = null });
    }
}
