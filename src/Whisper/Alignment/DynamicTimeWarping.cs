namespace AsrPlatform.Whisper.Alignment;

/// <summary>Dynamic time warping as Whisper's word timing uses it.</summary>
public static class DynamicTimeWarping
{
    /// <summary>Finds the cheapest monotonic path from the first to the last corner of a cost matrix.</summary>
    /// <param name="cost"><c>[row, column]</c>, C order; rows are tokens, columns are encoder positions.</param>
    /// <param name="rows">Number of rows, at least 1.</param>
    /// <param name="columns">Number of columns, at least 1.</param>
    /// <returns>Row and column of each step of the path, both ascending.</returns>
    /// <remarks>
    /// Sums are rounded to float32 and a tie goes to the step along the columns, as in OpenAI's and Hugging Face's implementations,
    /// so that the paths are the same.
    /// </remarks>
    public static (int[] Rows, int[] Columns) FindPath(ReadOnlySpan<double> cost, int rows, int columns)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(rows);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(columns);
        ArgumentOutOfRangeException.ThrowIfNotEqual(cost.Length, checked(rows * columns), nameof(cost));

        // Where each cell was entered from; only the previous row of sums is needed.
        var steps = new Step[rows * columns];
        var previous = new float[columns + 1];
        var current = new float[columns + 1];
        previous.AsSpan(1).Fill(float.PositiveInfinity);
        for (var row = 0; row < rows; row++)
        {
            current[0] = float.PositiveInfinity;
            for (var column = 0; column < columns; column++)
            {
                var diagonal = previous[column];
                var down = previous[column + 1];
                var along = current[column];
                var (best, step) =
                    diagonal < down && diagonal < along ? (diagonal, Step.Diagonal)
                    : down < diagonal && down < along ? (down, Step.Down)
                    : (along, Step.Along);
                current[column + 1] = (float)(cost[row * columns + column] + best);
                steps[row * columns + column] = step;
            }

            (previous, current) = (current, previous);
        }

        return Backtrace(steps, rows, columns);
    }

    private static (int[] Rows, int[] Columns) Backtrace(ReadOnlySpan<Step> steps, int rows, int columns)
    {
        var pathRows = new int[rows + columns];
        var pathColumns = new int[rows + columns];
        var start = rows + columns;
        var (row, column) = (rows - 1, columns - 1);
        while (row >= 0 && column >= 0)
        {
            start--;
            (pathRows[start], pathColumns[start]) = (row, column);
            var step = row == 0 && column > 0 ? Step.Along : column == 0 && row > 0 ? Step.Down : steps[row * columns + column];
            row -= step == Step.Along ? 0 : 1;
            column -= step == Step.Down ? 0 : 1;
        }

        return (pathRows[start..], pathColumns[start..]);
    }

    private enum Step : byte
    {
        Diagonal,
        Down,
        Along,
    }
}
