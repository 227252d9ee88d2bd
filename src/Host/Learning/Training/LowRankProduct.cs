using System.Numerics.Tensors;
using AsrPlatform.Abstractions;

namespace AsrPlatform.Host.Learning.Training;

/// <summary>A matrix of doubles in columns: the columns are what is worked on.</summary>
/// <param name="rows">Rows.</param>
/// <param name="columns">Columns.</param>
internal sealed class Matrix(int rows, int columns)
{
    private readonly double[] _values = new double[rows * columns];

    public int Rows => rows;

    public int Columns => columns;

    public Span<double> Column(int column) => _values.AsSpan(column * rows, rows);

    public double this[int row, int column]
    {
        get => _values[(column * rows) + row];
        set => _values[(column * rows) + row] = value;
    }

    /// <summary>Takes values in C order over.</summary>
    public static Matrix Of(int rows, int columns, ReadOnlySpan<float> values)
    {
        var matrix = new Matrix(rows, columns);
        for (var row = 0; row < rows; row++)
        {
            for (var column = 0; column < columns; column++)
            {
                matrix[row, column] = values[(row * columns) + column];
            }
        }

        return matrix;
    }
}

/// <summary>A product of two thin matrices by its singular values: U·S·Vᵀ, largest first.</summary>
internal sealed class LowRankProduct
{
    private readonly Matrix _left;
    private readonly double[] _singular;
    private readonly Matrix _right;

    private LowRankProduct(Matrix left, double[] singular, Matrix right)
    {
        _left = left;
        _singular = singular;
        _right = right;
    }

    /// <summary>The square of its Frobenius norm.</summary>
    public double SquaredNorm => _singular.Sum(value => value * value);

    /// <summary>Computes w₁·B₁A₁ + w₂·B₂A₂.</summary>
    /// <param name="first">B₁ <c>[out, r₁]</c> and A₁ <c>[r₁, in]</c>.</param>
    /// <param name="firstWeight">w₁.</param>
    /// <param name="second">B₂ and A₂ of the same product's shape.</param>
    /// <param name="secondWeight">w₂.</param>
    /// <exception cref="AsrException">A value is not finite.</exception>
    public static LowRankProduct Sum((Matrix B, Matrix A) first, double firstWeight, (Matrix B, Matrix A) second, double secondWeight)
    {
        var inner = first.B.Columns + second.B.Columns;
        var left = new Matrix(first.B.Rows, inner);
        var right = new Matrix(first.A.Columns, inner);
        for (var k = 0; k < inner; k++)
        {
            var ((b, a), weight, at) = k < first.B.Columns ? (first, firstWeight, k) : (second, secondWeight, k - first.B.Columns);
            for (var row = 0; row < left.Rows; row++)
            {
                left[row, k] = weight * b[row, at];
            }

            for (var column = 0; column < right.Rows; column++)
            {
                right[column, k] = a[at, column];
            }
        }

        // left·rightᵀ = Q₁·(R₁·R₂ᵀ)·Q₂ᵀ, and the core between the two is small.
        var (q1, r1) = Orthogonalize(left);
        var (q2, r2) = Orthogonalize(right);
        var core = new Matrix(r1.Rows, r2.Rows);
        for (var row = 0; row < core.Rows; row++)
        {
            for (var column = 0; column < core.Columns; column++)
            {
                var sum = 0.0;
                for (var k = 0; k < inner; k++)
                {
                    sum += r1[row, k] * r2[column, k];
                }

                core[row, column] = sum;
            }
        }

        var (u, s, v) = Decompose(core);
        return new LowRankProduct(Times(q1, u), s, Times(q2, v));
    }

    /// <summary>The square of the norm of its nearest product of a rank.</summary>
    public double SquaredNormOf(int rank) => _singular.Take(rank).Sum(value => value * value);

    /// <summary>The left factor of its nearest product of a rank, <c>[out, rank]</c>, C order: U·√S.</summary>
    public float[] First(int rank) => Scaled(_left, rank, byColumns: false);

    /// <summary>The right factor, <c>[rank, in]</c>, C order: √S·Vᵀ.</summary>
    public float[] Second(int rank) => Scaled(_right, rank, byColumns: true);

    private float[] Scaled(Matrix matrix, int rank, bool byColumns)
    {
        var values = new float[matrix.Rows * rank];
        for (var column = 0; column < Math.Min(rank, _singular.Length); column++)
        {
            var scale = Math.Sqrt(_singular[column]);
            for (var row = 0; row < matrix.Rows; row++)
            {
                values[byColumns ? (column * matrix.Rows) + row : (row * rank) + column] = (float)(scale * matrix[row, column]);
            }
        }

        return values;
    }

    /// <summary>Householder's QR: Q <c>[rows, k]</c> with orthonormal columns, R <c>[k, columns]</c>, k the smaller of rows and columns.</summary>
    private static (Matrix Q, Matrix R) Orthogonalize(Matrix matrix)
    {
        var k = Math.Min(matrix.Rows, matrix.Columns);
        var work = new Matrix(matrix.Rows, matrix.Columns);
        for (var column = 0; column < matrix.Columns; column++)
        {
            matrix.Column(column).CopyTo(work.Column(column));
        }

        var reflectors = new double[k][];
        for (var step = 0; step < k; step++)
        {
            var vector = work.Column(step)[step..].ToArray();
            var norm = Math.Sqrt(Dot(vector, vector));
            if (!double.IsFinite(norm))
            {
                throw new AsrException("An adapter has a value that is not finite: it cannot be averaged.");
            }

            if (norm > 0)
            {
                vector[0] += vector[0] >= 0 ? norm : -norm;
                var length = Math.Sqrt(Dot(vector, vector));
                for (var i = 0; i < vector.Length; i++)
                {
                    vector[i] /= length;
                }

                for (var column = step; column < work.Columns; column++)
                {
                    Reflect(work.Column(column)[step..], vector);
                }
            }

            // A zero column needs no reflection: its vector is zero and reflects nothing.
            reflectors[step] = vector;
        }

        var q = new Matrix(matrix.Rows, k);
        for (var column = 0; column < k; column++)
        {
            q[column, column] = 1;
            for (var step = k - 1; step >= 0; step--)
            {
                Reflect(q.Column(column)[step..], reflectors[step]);
            }
        }

        var r = new Matrix(k, matrix.Columns);
        for (var column = 0; column < matrix.Columns; column++)
        {
            work.Column(column)[..Math.Min(k, column + 1)].CopyTo(r.Column(column));
        }

        return (q, r);
    }

    /// <summary>One-sided Jacobi: the columns of M·V are made orthogonal; their lengths are the singular values.</summary>
    private static (Matrix U, double[] Singular, Matrix V) Decompose(Matrix matrix)
    {
        const int MostSweeps = 60;
        const double Tolerance = 1e-14;
        var n = matrix.Columns;
        var v = new Matrix(n, n);
        for (var i = 0; i < n; i++)
        {
            v[i, i] = 1;
        }

        var rotated = true;
        for (var sweep = 0; rotated && sweep < MostSweeps; sweep++)
        {
            rotated = false;
            for (var p = 0; p < n - 1; p++)
            {
                for (var q = p + 1; q < n; q++)
                {
                    var a = matrix.Column(p);
                    var b = matrix.Column(q);
                    var (alpha, beta, gamma) = (Dot(a, a), Dot(b, b), Dot(a, b));
                    if (Math.Abs(gamma) <= Tolerance * Math.Sqrt(alpha * beta))
                    {
                        continue;
                    }

                    rotated = true;
                    var zeta = (beta - alpha) / (2 * gamma);
                    var tangent = Math.CopySign(1, zeta) / (Math.Abs(zeta) + Math.Sqrt(1 + (zeta * zeta)));
                    var cosine = 1 / Math.Sqrt(1 + (tangent * tangent));
                    Rotate(a, b, cosine, cosine * tangent);
                    Rotate(v.Column(p), v.Column(q), cosine, cosine * tangent);
                }
            }
        }

        var lengths = Enumerable.Range(0, n).Select(column => Math.Sqrt(Dot(matrix.Column(column), matrix.Column(column)))).ToArray();
        int[] order = [.. Enumerable.Range(0, n).OrderByDescending(column => lengths[column])];
        var u = new Matrix(matrix.Rows, n);
        var right = new Matrix(n, n);
        for (var i = 0; i < n; i++)
        {
            v.Column(order[i]).CopyTo(right.Column(i));
            for (var row = 0; row < matrix.Rows && lengths[order[i]] > 0; row++)
            {
                u[row, i] = matrix[row, order[i]] / lengths[order[i]];
            }
        }

        return (u, [.. order.Select(column => lengths[column])], right);
    }

    private static Matrix Times(Matrix left, Matrix right)
    {
        var product = new Matrix(left.Rows, right.Columns);
        for (var column = 0; column < right.Columns; column++)
        {
            var target = product.Column(column);
            for (var k = 0; k < left.Columns; k++)
            {
                TensorPrimitives.MultiplyAdd(left.Column(k), right[k, column], target, target);
            }
        }

        return product;
    }

    private static double Dot(ReadOnlySpan<double> a, ReadOnlySpan<double> b) => TensorPrimitives.Dot(a, b);

    private static void Reflect(Span<double> values, ReadOnlySpan<double> unit) =>
        TensorPrimitives.MultiplyAdd(unit, -2 * Dot(values, unit), values, values);

    private static void Rotate(Span<double> a, Span<double> b, double cosine, double sine)
    {
        for (var i = 0; i < a.Length; i++)
        {
            (a[i], b[i]) = ((cosine * a[i]) - (sine * b[i]), (sine * a[i]) + (cosine * b[i]));
        }
    }
}
