using AsrPlatform.Abstractions.Plugins;
using AsrPlatform.Host.Diagnostics;

namespace AsrPlatform.Host.Tests.Diagnostics;

public sealed class ThreadDiagnosticsTests
{
    [Theory]
    [InlineData("OMP_NUM_THREADS", "2", null)]
    [InlineData("OMP_NUM_THREADS", "2,1", null)]
    [InlineData("OMP_NUM_THREADS", "3", "export OMP_NUM_THREADS=2")]
    [InlineData("OPENBLAS_NUM_THREADS", "64", "export OPENBLAS_NUM_THREADS=2")]
    [InlineData("OMP_WAIT_POLICY", "passive", null)]
    [InlineData("OMP_WAIT_POLICY", "ACTIVE", "export OMP_WAIT_POLICY=PASSIVE")]
    [InlineData("OPENBLAS_CORETYPE", "Haswell", "export OPENBLAS_CORETYPE=SKYLAKEX")]
    [InlineData("OPENBLAS_CORETYPE", "SkylakeX", null)]
    [InlineData("GOMP_SPINCOUNT", "0", null)]
    public void Describe_Variable_IsShownWithItsRemedy(string name, string value, string? remedy)
    {
        var item = Describe(new() { [name] = value }).Single(item => item.Name == name);

        Assert.StartsWith(value, item.Value, StringComparison.Ordinal);
        Assert.Equal(remedy, item.Remedy);
        Assert.Equal(remedy is null ? DiagnosticLevel.Ok : DiagnosticLevel.Warning, item.Level);
    }

    [Fact]
    public void Describe_NothingSet_WarnsOfSpinningThreads()
    {
        var items = Describe([]);

        Assert.Equal("2", items.Single(item => item.Name == "processors").Value);
        Assert.Equal("export OMP_WAIT_POLICY=PASSIVE", items.Single(item => item.Level != DiagnosticLevel.Ok).Remedy);
    }

    private static List<DiagnosticItem> Describe(Dictionary<string, string> variables) =>
        [.. new ThreadDiagnostics(Processors: 2, HasAvx512: true, variables.GetValueOrDefault).Describe()];
}
