using AsrPlatform.Abstractions;
using AsrPlatform.Host.Diagnostics;

namespace AsrPlatform.Host.Tests.Diagnostics;

public sealed class ProgramRunTests
{
    private static readonly TimeSpan Soon = TimeSpan.FromMilliseconds(200);

    [Fact]
    public void Run_ProgramThatFails_GivesAllThatItSaid()
    {
        SkipOnWindows();

        // More than a pipe holds, on both streams: who reads one after the other waits forever.
        var result = Shell("i=0; while [ $i -lt 3000 ]; do echo 'thirty characters to the output'; echo 'thirty characters to errors…' >&2; i=$((i+1)); done; exit 3", null, null);
        Assert.Equal(3, result.ExitCode);
        Assert.Equal(3000, result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
        Assert.Equal(3000, result.Errors.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
    }

    [Theory]
    [InlineData("naïve 語\n", "naïve 語\n")]
    [InlineData(null, "")]
    public void Run_Input_EndsWhereItEnds(string? input, string output)
    {
        SkipOnWindows();
        Assert.Equal(new ProgramResult(0, output, ""), Shell("cat", input, null));
    }

    [Fact]
    public void Run_ProgramThatIsNotThere_SaysSo()
    {
        var error = Assert.Throws<AsrException>(() => ProgramRun.Run("no-such-program-here", [], null, null, CancellationToken.None));
        Assert.StartsWith("no-such-program-here cannot be run: ", error.Message, StringComparison.Ordinal);
    }

    /// <summary>The shell's child holds the streams open: it has to end too.</summary>
    [Fact]
    public void Run_BeyondTheLimit_IsKilledWithItsChildren()
    {
        SkipOnWindows();
        var result = Shell("echo begun; sleep 600; echo ended", null, Soon);
        Assert.NotEqual(0, result.ExitCode);
        Assert.DoesNotContain("ended", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Run_Cancelled_IsKilledAndThrows()
    {
        SkipOnWindows();
        using var stop = new CancellationTokenSource(Soon);
        Assert.Throws<OperationCanceledException>(() => ProgramRun.Run("sh", ["-c", "sleep 600; true"], null, null, stop.Token));
        Assert.Throws<OperationCanceledException>(() => ProgramRun.Run("no-such-program-here", [], null, null, stop.Token));
    }

    private static ProgramResult Shell(string script, string? input, TimeSpan? limit) => ProgramRun.Run("sh", ["-c", script], input, limit, CancellationToken.None);

    private static void SkipOnWindows() => Assert.SkipWhen(OperatingSystem.IsWindows(), "needs a shell");
}
