using System.Reflection;

namespace AsrPlatform.Tests;

/// <summary>Compares the surface of a binding with that of the package that it stands in for.</summary>
internal static class Surface
{
    /// <summary>A call that fits ours fits theirs: parameters that fit each other, theirs may have more with defaults at the end.</summary>
    public static bool Fits(MethodBase our, MethodBase their, Func<ParameterInfo, ParameterInfo, bool> parametersFit)
    {
        if (our.Name != their.Name || our.IsStatic != their.IsStatic)
        {
            return false;
        }

        ParameterInfo[] ours = our.GetParameters(), theirs = their.GetParameters();
        return theirs.Length >= ours.Length
            && theirs.Skip(ours.Length).All(parameter => parameter.HasDefaultValue)
            && ours.Zip(theirs).All(pair => NamesFit(pair.First, pair.Second) && parametersFit(pair.First, pair.Second))
            && (our is not MethodInfo o || their is not MethodInfo t || Name(o.ReturnType) == Name(t.ReturnType));
    }

    /// <summary>A type's name without its namespace, with its arguments: what may differ is where it comes from.</summary>
    public static string Name(Type type) =>
        type.IsArray ? Name(type.GetElementType()!) + "[]"
        : type.IsGenericType ? type.Name[..type.Name.IndexOf('`', StringComparison.Ordinal)] + "<" + string.Join(",", type.GetGenericArguments().Select(Name)) + ">"
        : type.Name;

    // Nobody names an operator's operands.
    private static bool NamesFit(ParameterInfo our, ParameterInfo their) =>
        our.Name == their.Name || our.Member.Name.StartsWith("op_", StringComparison.Ordinal);
}
