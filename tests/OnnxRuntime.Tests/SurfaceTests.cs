using System.Globalization;
using System.Reflection;
using System.Text.RegularExpressions;
using AsrPlatform.Tests;
using static AsrPlatform.Tests.Surface;

namespace AsrPlatform.OnnxRuntime.Tests;

/// <summary>The surface is that of Microsoft.ML.OnnxRuntime: same names, parameters and defaults.</summary>
public sealed class SurfaceTests
{
    private const string OurRoot = "AsrPlatform.OnnxRuntime";
    private const BindingFlags Declared = BindingFlags.Public | BindingFlags.Static | BindingFlags.Instance | BindingFlags.DeclaredOnly;
    private static readonly string[] OfObject = ["ToString", "Equals", "GetHashCode"];

    /// <summary>What plugins see; the namespaces Diagnostics and Interop are ours alone.</summary>
    private static IEnumerable<Type> SharedTypes => typeof(InferenceSession).Assembly.GetExportedTypes().Where(t => t.Namespace is OurRoot or OurRoot + ".Tensors");

    [Fact]
    public void EveryMember_ExistsInThePackage_WithTheSameParametersAndDefaults()
    {
        var path = Environment.GetEnvironmentVariable("ONNXRUNTIME_ASSEMBLY");
        Assert.SkipWhen(string.IsNullOrEmpty(path), "ONNXRUNTIME_ASSEMBLY does not name the package's managed assembly.");
        var theirs = Assembly.LoadFrom(path!);
        var missing = new List<string>();
        foreach (var type in SharedTypes)
        {
            var name = type.FullName!.Replace(OurRoot, "Microsoft.ML.OnnxRuntime", StringComparison.Ordinal);
            if (theirs.GetType(name) is not { } their)
            {
                missing.Add($"type {name}");
                continue;
            }
            if (type.IsEnum)
            {
                missing.AddRange(from value in Enum.GetNames(type)
                                 where !Enum.IsDefined(their, value)
                                     || Convert.ToInt64(Enum.Parse(type, value), CultureInfo.InvariantCulture) != Convert.ToInt64(Enum.Parse(their, value), CultureInfo.InvariantCulture)
                                 select $"{name}.{value}");
                continue;
            }
            var theirMethods = their.GetMethods(Declared).Concat<MethodBase>(their.GetConstructors(Declared)).ToList();
            missing.AddRange(from method in type.GetMethods(Declared).Concat<MethodBase>(type.GetConstructors(Declared))
                             where !(method.IsSpecialName && !method.IsConstructor && !method.Name.StartsWith("op_", StringComparison.Ordinal)) && !OfObject.Contains(method.Name)
                             where !theirMethods.Exists(m => Surface.Fits(method, m, Fits))
                             select $"{name}.{method.Name}({string.Join(", ", method.GetParameters().Select(p => $"{Name(p.ParameterType)} {p.Name}"))})");
            missing.AddRange(from property in type.GetProperties(Declared)
                             where property.Name != "IsInvalid"
                             where their.GetProperty(property.Name, Declared) is not { } match || Name(match.PropertyType) != Name(property.PropertyType) || (property.CanWrite && !match.CanWrite)
                             select $"{name}.{property.Name}");
            missing.AddRange(from field in type.GetFields(Declared)
                             where their.GetField(field.Name, Declared) is not { } match || Name(match.FieldType) != Name(field.FieldType)
                             select $"{name}.{field.Name}");
        }
        Assert.True(missing.Count == 0, string.Join("\n", missing));
    }

    [Fact]
    public void EveryMember_IsUsedInTheSourceThatCompilesAgainstBoth()
    {
        var source = File.ReadAllText(Path.Combine(Fixtures.RepositoryRoot, "tests", "OnnxShape", "Shape.cs"));
        var used = Regex.Matches(source, @"\w+").Select(m => m.Value).ToHashSet();
        var unused = SharedTypes.Where(t => !t.IsEnum)
            .SelectMany(t => t.GetMembers(Declared).Where(m => m is MethodInfo or PropertyInfo or FieldInfo).Select(m => (t, m)))
            .Where(x => x.m is not MethodInfo { IsSpecialName: true } && !OfObject.Contains(x.m.Name) && !used.Contains(x.m.Name))
            .Select(x => $"{x.t.Name}.{x.m.Name}").Distinct();
        Assert.Empty(unused);
    }

    private static bool Fits(ParameterInfo our, ParameterInfo their) =>
        Name(our.ParameterType) == Name(their.ParameterType) && our.HasDefaultValue == their.HasDefaultValue && Equals(our.RawDefaultValue, their.RawDefaultValue);
}
