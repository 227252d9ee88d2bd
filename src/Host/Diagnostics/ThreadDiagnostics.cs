using System.Globalization;
using System.Runtime.Intrinsics.X86;
using AsrPlatform.Abstractions.Plugins;
using AsrPlatform.Host.Plugins;

namespace AsrPlatform.Host.Diagnostics;

/// <summary>What native libraries are told about threads.</summary>
/// <param name="Processors">Processors that this process may use.</param>
/// <param name="HasAvx512">Whether the processor has what OpenBLAS's AVX-512 kernels need.</param>
/// <param name="Variable">A variable as native libraries see it, or null.</param>
internal sealed record ThreadDiagnostics(int Processors, bool HasAvx512, Func<string, string?> Variable)
{
    private static readonly string[] Counts = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"];
    private static readonly string[] Others = ["GOMP_SPINCOUNT", "KMP_BLOCKTIME"];

    /// <summary>OpenBLAS's core types with AVX-512 kernels.</summary>
    private static readonly string[] Avx512Cores = ["SKYLAKEX", "COOPERLAKE", "SAPPHIRERAPIDS"];

    /// <summary>The settings of this process.</summary>
    public static ThreadDiagnostics OfThisProcess() => new(
        Environment.ProcessorCount,
        Avx512F.IsSupported && Avx512BW.IsSupported && Avx512DQ.IsSupported,
        NativeEnvironment.Get);

    /// <summary>Says what is set, and what to set.</summary>
    public IEnumerable<DiagnosticItem> Describe()
    {
        yield return new DiagnosticItem("processors", Processors.ToString(CultureInfo.InvariantCulture));
        foreach (var name in Counts)
        {
            var value = Variable(name);

            // OMP_NUM_THREADS may be a list, a number a nesting level.
            var tooMany = int.TryParse(value?.Split(',')[0], NumberStyles.Integer, CultureInfo.InvariantCulture, out var count) && count > Processors;
            if (value is not null || name == Counts[0])
            {
                yield return new DiagnosticItem(
                    name,
                    (value ?? "not set") + (tooMany ? $", more than the {Processors} processors" : ""),
                    tooMany ? DiagnosticLevel.Warning : DiagnosticLevel.Ok,
                    tooMany ? $"export {name}={Processors}" : null);
            }
        }

        var policy = Variable("OMP_WAIT_POLICY");
        var passive = string.Equals(policy, "PASSIVE", StringComparison.OrdinalIgnoreCase);
        yield return new DiagnosticItem(
            "OMP_WAIT_POLICY",
            (policy ?? "not set") + (passive ? "" : ": waiting threads spin, which makes two threads slower than one"),
            passive ? DiagnosticLevel.Ok : DiagnosticLevel.Warning,
            passive ? null : "export OMP_WAIT_POLICY=PASSIVE");
        foreach (var name in Others)
        {
            if (Variable(name) is { } value)
            {
                yield return new DiagnosticItem(name, value);
            }
        }

        if (Variable("OPENBLAS_CORETYPE") is { } core)
        {
            // 90…160 GFLOP/s become 240 on two such processors.
            var slow = HasAvx512 && !Avx512Cores.Contains(core, StringComparer.OrdinalIgnoreCase);
            yield return new DiagnosticItem(
                "OPENBLAS_CORETYPE",
                core + (slow ? ": keeps OpenBLAS from this processor's AVX-512" : ""),
                slow ? DiagnosticLevel.Warning : DiagnosticLevel.Ok,
                slow ? "export OPENBLAS_CORETYPE=SKYLAKEX" : null);
        }
    }
}
