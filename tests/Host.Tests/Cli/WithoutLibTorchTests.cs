using AsrPlatform.Tests;

namespace AsrPlatform.Host.Tests.Cli;

/// <summary>A machine on which LibTorch cannot be loaded: what needs no training goes on, on graphs that ONNX Runtime's backend makes itself.</summary>
public sealed class WithoutLibTorchTests
{
    [Fact]
    public void Transcribe_ACheckpoint_GivesItsText()
    {
        var (code, output, error) = Run("transcribe", Fixtures.Path("audio/fox.wav"), "--model", Fixtures.Path("micro"), "--quiet");
        Assert.True(code == 0, error);
        Assert.Equal("The quick brown fox jumps over the lazy dog.", output.Trim());
    }

    [Fact]
    public void Stream_ACheckpoint_IsCaptioned()
    {
        var (code, output, error) = Run("stream", Fixtures.Path("audio/fox.wav"), "--model", Fixtures.Path("micro"), "--pace", "0", "--json");
        Assert.True(code == 0, error);
        Assert.Contains("quick", output, StringComparison.Ordinal);
    }

    [Fact]
    public void Stream_ABackendByName_IsNoOther()
    {
        var (code, _, error) = Run("stream", Fixtures.Path("audio/fox.wav"), "--model", Fixtures.Path("micro"), "--backend", "torch");
        Assert.Equal(1, code);
        Assert.Contains("libtorch-dev", error, StringComparison.Ordinal);
    }

    private static (int Code, string Output, string Error) Run(params string[] arguments)
    {
        using var process = AsrProcess.Start(redirectInput: false, [("ASR_LIBTORCH_SHIM", "/nowhere/libasrtorch.so")], arguments);
        var output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output.GetAwaiter().GetResult(), error);
    }
}
