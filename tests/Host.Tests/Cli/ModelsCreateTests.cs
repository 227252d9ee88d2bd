using System.CommandLine;
using AsrPlatform.Abstractions;
using AsrPlatform.Host.Cli;
using AsrPlatform.Tests;
using AsrPlatform.Whisper.Checkpoints;

namespace AsrPlatform.Host.Tests.Cli;

/// <summary><c>asr models create</c>; the checkpoints themselves are tested where they are made.</summary>
public sealed class ModelsCreateTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Create_GrownFromACheckpoint_HasMoreLayersAndTheOthersAsTheyWere()
    {
        var target = _folder.File("grown");
        Assert.Equal(0, Run("--grow-from", Fixtures.Path("micro"), "--output-dir", target, "--encoder-layers", "3"));
        using var grown = WhisperCheckpoint.Open(target);
        Assert.Equal((3, 2, 64), (grown.Config.EncoderLayers, grown.Config.DecoderLayers, grown.Config.DModel)); // 2 and not 4, the default of fresh ones
    }

    [Fact]
    public void Create_GrownToFewerLayers_IsRefused()
    {
        var error = Assert.Throws<AsrException>(() => Run("--grow-from", Fixtures.Path("micro"), "--output-dir", _folder.File("grown"), "--decoder-layers", "1"));
        Assert.Contains("growing takes none away", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("leave out --width.", "--grow-from", "x", "--width", "64")]
    [InlineData("leave out --texts, --vocabulary, --seed.", "--grow-from", "x", "--seed", "1", "--vocabulary", "300", "--texts", "a.txt")]
    [InlineData("Give --texts for an untrained checkpoint, or --grow-from", "--width", "64")]
    public void Create_OptionsThatContradict_AreAUsageError(string expected, params string[] arguments)
    {
        var parsed = ModelsCreate.Create().Parse([.. arguments, "--output-dir", _folder.File("new")]);
        Assert.Contains(expected, Assert.Single(parsed.Errors).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Create_FromTexts_StillNeedsNoOtherOption()
    {
        Assert.Empty(ModelsCreate.Create().Parse(["--texts", "a.txt", "b.txt", "--output-dir", _folder.File("new")]).Errors);
    }

    private static int Run(params string[] arguments) =>
        ModelsCreate.Create().Parse(arguments).Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false });
}
