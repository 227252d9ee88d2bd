namespace AsrPlatform.Abstractions.Models;

/// <summary>
/// What an <see cref="ISeq2SeqBackend"/> may implement besides: the time of its bare matrix product, the yardstick of
/// <c>asr bench</c>.
/// </summary>
/// <remarks>As the backend: safe for concurrent calls, though times mean little then.</remarks>
public interface IMatrixMultiplyBenchmark
{
    /// <summary>
    /// Times <c>C = A Bᵀ</c> in float32 with A <c>[rows, inner]</c> and B <c>[columns, inner]</c>, everything allocated before.
    /// </summary>
    /// <param name="rows">Rows of A and C; at least 1, as the others.</param>
    /// <param name="inner">Columns of A and B.</param>
    /// <param name="columns">Rows of B and columns of C.</param>
    /// <param name="options">Device and threads; its folder is not read.</param>
    /// <param name="repetitions">Timed runs after a first one that is not; at least 1.</param>
    /// <returns>The shortest run.</returns>
    TimeSpan Measure(int rows, int inner, int columns, ModelLoadOptions options, int repetitions);
}
